"""The error of samples that cannot be made as asked."""

from crest_core import CrestError


class SampleError(CrestError, ValueError):
    """Sources, places, windows, splits or transforms that do not fit each other."""
