"""Reduction: the steps of a window into the rows of a stream, and what is left for the next window.

Steps are added one after the other in float64: the same rows come out whatever the windows are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from crest_store.errors import StreamError
from crest_store.intervals import bounds_of, intervals
from crest_store.methods import cell_methods
from crest_store.stream import Stream

_SPACELESS = ("time", "time_end", "time_bnds")


@dataclass(frozen=True)
class Partial:
    """The steps so far of an interval that is not complete: count, and by field a sum, minimum or maximum."""

    start: int = 0  # of the data, seconds since 2000-01-01
    interval: int = 0  # start of the interval
    count: int = 0
    values: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Complete intervals of a stream: bounds (time, 2) [s since 2000-01-01], values (time, ...) and attributes."""

    bounds: np.ndarray
    values: dict[str, np.ndarray]
    dims: dict[str, tuple[str, ...]]
    attributes: dict[str, dict[str, str]]
    places: dict[str, xr.Variable]  # all that has no time
    ends: bool  # whether values belong to the end of their interval


def reduce(data: xr.Dataset, name: str, stream: Stream, calendar: str, before: Partial) -> tuple[Rows, Partial]:
    """Return the intervals that end within a window and the incomplete one after them."""
    bounds = bounds_of(data, calendar)
    fields = {str(key): one for key, one in data.data_vars.items() if "time" in one.dims and key not in _SPACELESS}
    if late := sorted(key for key, one in fields.items() if one.dims[0] != "time"):
        raise StreamError(f"stream {name}: time must be the first dimension of {late}")
    places = {str(key): one for key, one in data.variables.items() if "time" not in one.dims}
    dims = {key: tuple(map(str, one.dims)) for key, one in fields.items()}
    attributes = {key: {str(a): v for a, v in one.attrs.items()} for key, one in fields.items()}
    if not stream.every:
        values = {key: one.values for key, one in fields.items()}
        return Rows(bounds, values, dims, attributes, places, True), before
    step = int(bounds[0, 1] - bounds[0, 0])
    for key, own in attributes.items():
        own["cell_methods"] = cell_methods(f"stream {name}: {key}", own.get("cell_methods", ""), stream.statistic, step)
    arrays = {key: one.values for key, one in fields.items()}
    rows, after = _reduced(arrays, bounds, intervals(bounds, stream.every, calendar), stream.statistic, before)
    edges = np.array([edge for edge, _ in rows], dtype=np.int64).reshape(-1, 2)
    values = {key: _stacked([row[key] for _, row in rows], arrays[key]) for key in arrays}
    return Rows(edges, values, dims, attributes, places, stream.statistic == "instant"), after


_Row = tuple[tuple[int, int], dict[str, np.ndarray]]


def _reduced(
    arrays: dict[str, np.ndarray], bounds: np.ndarray, edges: np.ndarray, statistic: str, before: Partial
) -> tuple[list[_Row], Partial]:
    """Return rows of complete intervals, and the partial one that is left."""
    rows: list[_Row] = []
    cuts = [0, *(np.flatnonzero(np.diff(edges[:, 0])) + 1).tolist(), len(edges)]
    for first, stop in zip(cuts[:-1], cuts[1:], strict=True):
        start = int(edges[first, 0])
        if before.count and before.interval != start:
            raise StreamError("the window does not go on where the stream's interval was left; steps are missing")
        begun = before if before.count else Partial(int(bounds[first, 0]), start)
        values = {key: _added(begun.values.get(key), array[first:stop], statistic) for key, array in arrays.items()}
        before = Partial(begun.start, start, begun.count + stop - first, values)
        if bounds[stop - 1, 1] == edges[stop - 1, 1]:
            row = {key: _finished(value, before.count, statistic) for key, value in values.items()}
            rows.append(((before.start, int(bounds[stop - 1, 1])), row))
            before = Partial()
    return rows, before


def _added(total: np.ndarray | None, steps: np.ndarray, statistic: str) -> np.ndarray:
    """Return the sum, minimum, maximum or last value with more steps, taken one by one in their order."""
    if statistic == "instant":
        return np.array(steps[-1])
    add = {"min": np.minimum, "max": np.maximum}.get(statistic, np.add)
    kind = np.float64 if add is np.add else steps.dtype
    result = np.array(steps[0], dtype=kind) if total is None else add(total, steps[0], dtype=kind)
    for step in steps[1:]:
        result = add(result, step, dtype=kind)
    return np.asarray(result)


def _finished(value: np.ndarray, count: int, statistic: str) -> np.ndarray:
    return value / count if statistic == "mean" else value


def _stacked(rows: list[np.ndarray], like: np.ndarray) -> np.ndarray:
    """Return rows (time, ...) in the number type of the field, float64 where that holds whole numbers."""
    kind = like.dtype if not rows or like.dtype.kind == "f" or rows[0].dtype == like.dtype else np.float64
    return np.stack(rows).astype(kind) if rows else np.empty((0, *like.shape[1:]), kind)
