"""Intervals of history: which of them each step of a run falls into, in any calendar.

Times are whole seconds since 2000-01-01 in the calendar of the run; an interval is [start, end).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import cftime
import numpy as np
import xarray as xr

from crest_core import TimeError, parse_timestep
from crest_store.errors import StreamError

SINCE = "seconds since 2000-01-01 00:00:00"
_MONTHS = re.compile(r"(\d{0,4})(MS|YS)")


def to_seconds(values: Any, calendar: str) -> np.ndarray:
    """Return datetime64 or cftime dates as int64 seconds since 2000-01-01."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise StreamError("a time of a window is missing (NaT)")
        return ((array - np.datetime64("2000-01-01", "ns")) // np.timedelta64(1, "s")).astype(np.int64)
    numbers = cftime.date2num(array.ravel(), SINCE, calendar=calendar) if array.size else []
    return np.asarray(numbers, dtype=np.int64).reshape(array.shape)


def bounds_of(outputs: xr.Dataset, calendar: str) -> np.ndarray:
    """Return the bounds (time, 2) of the steps of a window, which follow each other."""
    if "time_bnds" not in outputs.variables or not outputs.sizes.get("time"):
        raise StreamError("the outputs of a window have no steps with time_bnds; take them from crest_core.simulate")
    bounds = to_seconds(outputs["time_bnds"].values, calendar)
    if (bounds[1:, 0] != bounds[:-1, 1]).any() or (bounds[:, 1] <= bounds[:, 0]).any():
        raise StreamError(
            "the steps of a window do not follow each other; there is a gap, an overlap or a missing time"
        )
    return bounds


def to_date(seconds: int, calendar: str) -> str:
    """Return seconds since 2000-01-01 as ISO text."""
    return str(cftime.num2date(int(seconds), SINCE, calendar=calendar).isoformat())


def intervals(bounds: np.ndarray, every: str, calendar: str) -> np.ndarray:
    """Return start and end of the interval that holds each step: (time, 2), like the bounds of the steps."""
    length = round(nominal(every).total_seconds())
    if match := _MONTHS.fullmatch(every):
        found = _months(bounds[:, 0], int(match[1] or 1) * (12 if match[2] == "YS" else 1), calendar)
    else:
        start = bounds[:, 0] // length * length
        found = np.stack([start, start + length], axis=1)
    across = np.flatnonzero(bounds[:, 1] > found[:, 1])
    if len(across):
        step = [to_date(edge, calendar) for edge in bounds[across[0]]]
        raise StreamError(
            f"every {every!r} cuts the step from {step[0]} to {step[1]}; take an interval of whole steps, "
            f"such as every={_text(bounds[0])!r}"
        )
    return found


def nominal(every: str) -> timedelta:
    """Return about how long an interval is; StreamError where there is no such interval."""
    if match := _MONTHS.fullmatch(every):
        length = timedelta(days=30 * int(match[1] or 1) * (12 if match[2] == "YS" else 1))
    else:
        try:
            length = parse_timestep(every)
        except TimeError as error:
            raise StreamError(f"{error}; for calendar months and years every='1MS' and every='1YS'") from error
    if round(length.total_seconds()) < 1:
        raise StreamError(f"every {every!r}: an interval of no length; give '1D', '1MS' or the like")
    return length


def check_whole(name: str, every: str, step: timedelta) -> None:
    """Raise where an interval does not consist of whole steps; those of calendar months are seen in the run."""
    if not _MONTHS.fullmatch(every) and nominal(every) % step:
        raise StreamError(f"stream {name}: every {every!r} cuts steps of {step}; take an interval of whole steps")


def step_in_words(seconds: int) -> str:
    """Return "1 day" or "6 hours", as CF writes an interval in cell_methods."""
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    count, unit = next((seconds // length, unit) for unit, length in units if seconds % length == 0)
    return f"{count} {unit}{'s' if count > 1 else ''}"


def _months(starts: np.ndarray, months: int, calendar: str) -> np.ndarray:
    dates = cftime.num2date(starts, SINCE, calendar=calendar)
    first = np.array([((date.year - 2000) * 12 + date.month - 1) // months * months for date in dates], dtype=int)
    edges = {}
    for month in {*first.tolist(), *(first + months).tolist()}:
        date = cftime.datetime(2000 + month // 12, month % 12 + 1, 1, calendar=calendar)
        edges[month] = int(cftime.date2num(date, SINCE, calendar=calendar))
    return np.array([[edges[month], edges[month + months]] for month in first.tolist()], dtype=np.int64).reshape(-1, 2)


def _text(step: np.ndarray) -> str:
    seconds = int(step[1] - step[0])
    return next(f"{seconds // n}{unit}" for unit, n in (("D", 86400), ("h", 3600), ("s", 1)) if seconds % n == 0)
