"""The error of catalogues of data sets."""

from crest_core import CrestError


class CatalogueError(CrestError, ValueError):
    """A catalogue or entry that cannot be used, or a file of it that is not what the catalogue says."""
