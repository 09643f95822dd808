"""What the proofs of the store share: a coupled run in child processes, faults of the C library, damage, a model."""
