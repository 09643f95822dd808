"""Verification: every file of a run against the ledger, every array against its checksums."""

from __future__ import annotations

import icechunk

from crest_store import arrays, durable, soundness
from crest_store import repository as repositories
from crest_store.errors import DamageError
from crest_store.ledger import Ledger


def verify(place: repositories.Place, branch: str = "main") -> list[str]:
    """Return a line for each damaged file or array of a run; nothing where all is as it was written.

    In a folder every file that the ledger knows is read; in an object store every array of the branch.
    """
    _, folder = repositories.storage_of(place)
    if folder is None:
        repository = repositories.open_existing(place)
        return unreadable(repository, repository.lookup_branch(branch))
    try:
        ledger = Ledger(folder)
    except DamageError as error:
        return [str(error)]
    if not ledger.lines:
        return [f"{folder / 'crest'} has no ledger: nothing can be verified; bring it back from a backup"]
    lost = soundness.unknown_ends(folder, ledger)
    found = [*ledger.damage, *lost.values(), *durable.damage(folder, ledger.files).values()]
    for name, chain in ledger.chains.items():
        end = soundness.end_of(folder, name)
        if end not in {chain[-1].snapshot, chain[-1].parent} and name not in lost:
            found.append(f"{soundness.reference(folder, name)} names {end or 'no commit'}, not {chain[-1].snapshot}")
    return found


def unreadable(repository: icechunk.Repository, snapshot: str) -> list[str]:
    """Return the arrays of a snapshot that fail their checksums or cannot be read, and why."""
    found: list[str] = []
    with repositories.speaking(f"snapshot {snapshot}"):
        for array in arrays.all_arrays(repositories.root_at(repository, snapshot)):
            found.extend(f"{array.path} chunk {place}: {why}" for place, why in arrays.broken_chunks(array))
    return found
