"""Readers: one function for each kind of file, all to the one convention."""
