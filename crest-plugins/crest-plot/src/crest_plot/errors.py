"""PlotError."""

from crest_core import CrestError


class PlotError(CrestError, ValueError):
    """A picture that cannot be drawn of the data as asked."""
