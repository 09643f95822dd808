"""Errors of CREST: each is a CrestError and a built-in; messages say who, what was expected, what came, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class CrestError(Exception):
    """Any error that CREST raises on purpose."""


class FieldError(CrestError, ValueError):
    """A field specification contradicts itself or the dictionary."""


class UnitError(CrestError, ValueError):
    """Units that cannot be read, or that cannot be converted into each other."""


class DictionaryError(CrestError, ValueError):
    """A field dictionary file that cannot be used."""


class TimeError(CrestError, ValueError):
    """A time, calendar, frequency or period that does not fit."""


class GridError(CrestError, ValueError):
    """A grid that contradicts itself or does not fit another."""


def near(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" where a name resembles others, else "", for the end of a message."""
    close = get_close_matches(name, list(names), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
