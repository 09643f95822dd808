"""Climatology: one year of data repeated over any years; a day that the year lacks is refused unless told."""

from __future__ import annotations

from typing import Any

import cftime
import numpy as np
import xarray as xr

from crest_data.errors import DataError
from crest_data.periods import clock_of, intervals, on_clock
from crest_data.times import calendar_of, iso, to_ticks

_LEAP_DAY = ("refuse", "28 February")


def climatology(
    dataset: xr.Dataset, start: Any, end: Any, step: str, *, calendar: str = "", leap_day: str = "refuse"
) -> xr.Dataset:
    """Return one year of data repeated over [start, end) in steps that lie within its intervals.

    The year may begin at any date and have any intervals: hours, days, 8 days, months. A step gets the value of the
    interval that holds its date; nothing is interpolated. 29 February of a year without one is an error, or with
    `leap_day="28 February"` has the value of the day before. 29 February of the data goes unused in other years.
    """
    if leap_day not in _LEAP_DAY:
        raise DataError(f"leap_day {leap_day!r} is not one of {', '.join(map(repr, _LEAP_DAY))}")
    edges, own = intervals(dataset), calendar_of(dataset["time"].values)
    _check_year(edges, own)
    clock = clock_of(start, end, step, calendar or own)
    length, found = round(clock.timestep.total_seconds() * 1e6), {}
    index = np.empty(len(clock), dtype=int)
    for number, time in enumerate(clock.times):
        key = (time.month, time.day, time.hour, time.minute, time.second)
        if key not in found:
            found[key] = _position(time, edges, own, length, leap_day)
        index[number] = found[key]
    year = iso(dataset["time"].values[0])[:4]
    note = "" if leap_day == "refuse" else f", 29 February as {leap_day}"
    return on_clock(dataset, index, clock, f"climatology: {year} repeated from {start} to {end}{note}")


def _check_year(edges: np.ndarray, calendar: str) -> None:
    """Raise unless the intervals cover one year without a gap."""
    first, last = _dates(edges[[0, -1], [0, 1]], calendar)
    gaps = np.flatnonzero(edges[1:, 0] != edges[:-1, 1])
    try:
        ends = first.replace(year=first.year + 1)
    except ValueError:  # 29 February
        ends = first.replace(year=first.year + 1, month=3, day=1)
    if last != ends:
        raise DataError(f"climatology: expected data of one year, {iso(first)} to {iso(ends)}, got them to {iso(last)}")
    if gaps.size:
        at = iso(_dates(edges[gaps[:1], 1], calendar)[0])
        raise DataError(f"climatology: the year has a gap at {at}; fill it in sight")


def _position(time: Any, edges: np.ndarray, calendar: str, length: int, leap_day: str) -> int:
    """Return the interval of the year that holds the step from `time` on."""
    first = _dates(edges[:1, 0], calendar)[0]
    for year in (first.year, first.year + 1):
        tick = _tick_in(year, time, calendar, leap_day)
        if tick is not None and edges[0, 0] <= tick < edges[-1, 1]:
            break
    else:
        hint = " with leap_day='28 February' it gets the day before" if (time.month, time.day) == (2, 29) else ""
        raise DataError(
            f"climatology: {iso(time)} is a day that the year from {iso(first)} in the calendar {calendar} does not "
            f"have;{hint or ' convert the calendar of one'}"
        )
    position = int(np.searchsorted(edges[:, 0], tick, side="right")) - 1
    if tick + length > edges[position, 1]:
        held = " to ".join(iso(date) for date in _dates(edges[position], calendar))
        raise DataError(
            f"climatology: the step from {iso(time)} reaches beyond the interval {held} that holds its start; ask for "
            f"shorter steps, or bring the data to longer intervals"
        )
    return position


def _tick_in(year: int, time: Any, calendar: str, leap_day: str) -> int | None:
    """Return the tick of the date in another year; None if that year lacks it."""
    days = (time.day, 28) if leap_day != "refuse" and (time.month, time.day) == (2, 29) else (time.day,)
    for day in days:
        try:
            date = cftime.datetime(year, time.month, day, time.hour, time.minute, time.second, calendar=calendar)
        except ValueError:
            continue
        return int(to_ticks(np.array([date], dtype=object))[0])
    return None


def _dates(ticks: np.ndarray, calendar: str) -> np.ndarray:
    """Return cftime dates in any calendar."""
    dates = cftime.num2date(ticks, "microseconds since 1970-01-01", calendar=calendar, only_use_cftime_datetimes=True)
    return np.asarray(dates, dtype=object)
