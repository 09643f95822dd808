"""The error of model folders."""

from crest_core import CrestError


class ModelError(CrestError, ValueError):
    """A model folder that cannot be used; the message names file, line and key."""
