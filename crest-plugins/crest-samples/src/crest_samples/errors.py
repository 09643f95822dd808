"""The errors of samples that cannot be made as asked."""

from crest_core import CrestError


class SampleError(CrestError, ValueError):
    """Sources, places, windows, splits or transforms that do not fit each other."""


class NoSuchSampleError(SampleError, IndexError):
    """A number of a sample that is beyond the last one, or before the first."""
