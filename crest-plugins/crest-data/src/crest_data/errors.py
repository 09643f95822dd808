"""The error of data that cannot be taken as they are."""

from crest_core import CrestError


class DataError(CrestError, ValueError):
    """Data that do not keep to the convention, or that cannot be brought to it without a guess."""
