"""Errors of the store of runs."""

from crest_core import StoreError


class StreamError(StoreError, ValueError):
    """A history stream that cannot be written as asked."""


class LockError(StoreError):
    """A run that another driver is writing."""


class ReadOnlyError(StoreError):
    """A run in a place where this process may not write."""


class DamageError(StoreError):
    """Files of a run that do not hold what was written."""


class DamageWarning(UserWarning):
    """Damaged files that were found and left unused, or repaired."""
