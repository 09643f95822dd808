"""Cell methods: what the statistic of a stream makes of a field's own meaning in time, in the words of CF."""

from __future__ import annotations

import re

from crest_store.errors import StreamError
from crest_store.intervals import step_in_words

_TIME = re.compile(r"time: (\w+)(?: \([^)]*\))?")
_WORDS = {"mean": "mean", "sum": "sum", "min": "minimum", "max": "maximum"}


def cell_methods(field: str, own: str, statistic: str, step: int) -> str:
    """Return the cell methods of a statistic over steps of `step` seconds; StreamError where it has no meaning."""
    match = _TIME.search(own)
    if match is None:
        raise StreamError(f"{field} has no cell_methods for time, so that {statistic} may be wrong; declare them")
    before = match[1]
    if statistic == "instant":
        if before != "point":
            raise _nonsense(field, statistic, before, f"its values hold for a whole step; take {_usual(before)}")
        return own
    if statistic == "sum" and before != "sum":
        advice = "take mean: mean times the length of the interval is the amount" if before == "mean" else "take mean"
        raise _nonsense(field, statistic, before, advice)
    if statistic == "mean" and before == "sum":
        raise _nonsense(field, statistic, before, "the result would be an amount of one step, not of the interval; sum")
    word = _WORDS[statistic]
    if before == word:
        return own
    return own.replace(match[0], _chained(before, word, step))


def _chained(before: str, word: str, step: int) -> str:
    """Return two methods, applied from left to right: "time: mean time: maximum (interval: 1 day)" for daily steps."""
    if before == "point":
        return f"time: {word} (interval: {step_in_words(step)})"
    return f"time: {before} time: {word} (interval: {step_in_words(step)})"


def _usual(before: str) -> str:
    return {"mean": "mean", "sum": "sum", "minimum": "min", "maximum": "max"}.get(before, "mean")


def _nonsense(field: str, statistic: str, before: str, advice: str) -> StreamError:
    return StreamError(f"{statistic} of {field}, whose values are 'time: {before}', has no meaning: {advice}")
