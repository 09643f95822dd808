"""The error and the warning of model folders."""

from crest_core import CrestError


class ModelError(CrestError, ValueError):
    """A model folder that cannot be used; the message names file, line and key."""


class ModelWarning(UserWarning):
    """A model folder that can be used, though not quite as it was saved."""
