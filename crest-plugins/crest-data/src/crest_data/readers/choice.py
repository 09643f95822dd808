"""Choices: which of the places of a source are read, and which word was meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from numbers import Real
from pathlib import Path

from crest_data.errors import DataError


def near(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for what is written like the word; empty if nothing is.

    >>> near("01022501", ["01022500", "06614800"])
    "; did you mean '01022500'?"
    """
    close = get_close_matches(word, list(words), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def chosen(ids: Sequence[str] | None, held: Sequence[str], *, kind: str, path: Path) -> list[str]:
    """Return the ids asked for, all if None, in the order asked; DataError names an unknown one and those like it."""
    if isinstance(ids, str):
        raise DataError(f"ids {ids!r}: expected a list of {kind}s, as [{ids!r}]")
    if not held:
        raise DataError(f"{path}: no {kind} found here; is this the folder of the source?")
    wanted = list(held) if ids is None else [str(one) for one in ids]
    for one in wanted:
        if one not in held:
            examples = ", ".join(held[:5]) + (", ..." if len(held) > 5 else "")
            raise DataError(f"{path}: no {kind} {one!r} among {len(held)} ({examples}){near(one, held)}")
    if not wanted or len(set(wanted)) != len(wanted):
        raise DataError(f"ids {wanted}: expected one or more {kind}s, each once")
    return wanted


def is_fraction(value: object) -> bool:
    """Return whether it is a number from 0 to 1, and no bool.

    >>> is_fraction(0.5), is_fraction("0.5"), is_fraction(True)
    (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool) and 0.0 <= float(value) <= 1.0


def only(paths: Sequence[Path], what: str) -> Path:
    """Return the one path; DataError if there is none or there are several."""
    if len(paths) != 1:
        found = "none" if not paths else ", ".join(map(str, paths))
        raise DataError(f"{what}: expected one file, found {found}; name the folder or file that is meant")
    return paths[0]
