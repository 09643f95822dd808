"""RunFileError."""

from crest_core import CrestError


class RunFileError(CrestError, ValueError):
    """A run file that does not follow its schema, or asks for what is not there."""
