"""TimeAxis: the evenly spaced times that all sources of a sample share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crest_core import from_xarray_time, parse_time, time_statistic
from crest_samples.errors import SampleError
from crest_samples.source import Source

DAY = 86400.0  # s
UNEVEN = 1.2  # times the shortest step; after a longer one there is a hole: months last 28 to 31 days


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Starts of the intervals of one step each, as datetime64 or cftime dates.

    >>> axis = TimeAxis(np.array(["2001-01-01", "2001-01-02"], dtype="datetime64[ns]"))
    >>> len(axis), axis.step
    (2, 86400)
    """

    values: NDArray[Any]
    zone: str = ""  # whose days and hours these are, as attrs["time_zone"] tells; "" where nobody has told
    bounds: NDArray[Any] | None = None  # (time, 2), start and end of each interval, where they are known

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def calendar(self) -> str:
        """CF name of the calendar."""
        return str(self.values[0].calendar) if self.values.dtype == object and len(self.values) else "standard"

    @cached_property
    def seconds(self) -> NDArray[np.int64]:
        """Seconds since 1970-01-01 in the calendar."""
        if self.values.dtype != object:
            return self.values.astype("datetime64[s]").astype(np.int64)
        counted = cftime.date2num(self.values, "seconds since 1970-01-01", self.calendar)
        return np.round(np.asarray(counted, dtype=np.float64)).astype(np.int64)

    @cached_property
    def dates(self) -> NDArray[Any]:
        """The times as cftime dates, which components are given."""
        return from_xarray_time(self.values, self.calendar)

    @property
    def step(self) -> int:
        """Seconds between two times; 0 where there is only one."""
        return int(self.seconds[1] - self.seconds[0]) if len(self) > 1 else 0

    @cached_property
    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts and ends of the intervals [s], at least 1 s apart: the bounds, else up to the next time.

        Without bounds the last interval, and one before a hole, last as long as the shortest.
        """
        if self.bounds is not None:
            start, end = TimeAxis(self.bounds.ravel()).seconds.reshape(-1, 2).T
            return start, np.maximum(end, start + 1)
        gaps = np.diff(self.seconds)
        shortest = int(gaps[gaps > 0].min()) if (gaps > 0).any() else 1
        known = (gaps > 0) & (gaps <= UNEVEN * shortest)
        return self.seconds, self.seconds + np.append(np.where(known, gaps, shortest), shortest)[: len(self)]

    def checked(self, who: str) -> TimeAxis:
        """Return the axis if its times ascend evenly; SampleError names the first that does not."""
        gaps = np.diff(self.seconds)
        uneven = np.flatnonzero((gaps != gaps[:1]) | (gaps <= 0)) if len(gaps) else gaps
        if len(uneven):
            at = int(uneven[0])
            raise SampleError(
                f"{who}: times are not evenly spaced: {self.values[at]} is followed by {self.values[at + 1]}, expected "
                f"steps of {gaps[0]} s; give every time, with nan where nothing was measured"
            )
        return self

    def part(self, first: int, stop: int) -> TimeAxis:
        """Return the times number first, ..., stop - 1."""
        bounds = None if self.bounds is None else self.bounds[first:stop]
        return TimeAxis(self.values[first:stop], self.zone, bounds)

    def same_zone(self, other: TimeAxis) -> bool:
        """Return whether both are of one time zone, as far as both tell."""
        return self.zone == other.zone or not (self.zone and other.zone)


def axis_of(data: xr.Dataset, who: str) -> TimeAxis:
    """Return the time axis of a dataset, in the zone that its attrs["time_zone"] tells, else UTC."""
    if "time" not in data.coords:
        raise SampleError(f"{who}: the dim time has no coordinate; give it dates")
    if not data.sizes["time"]:
        raise SampleError(f"{who}: the dim time has length 0; look at what was selected before")
    axis = TimeAxis(data["time"].values, str(data.attrs.get("time_zone") or "UTC"))
    named = str(data["time"].attrs.get("bounds", data["time"].encoding.get("bounds", "time_bnds")))
    if named not in data.variables:
        return axis
    held = data[named]
    if held.ndim != 2 or "time" not in held.dims or held.size != 2 * len(axis):
        raise SampleError(
            f"{who}: the bounds {named} of time have the dims {dict(held.sizes)}, expected (time, 2): start and end"
        )
    bounds = held.transpose("time", ...).values
    if bounds.dtype.kind != axis.values.dtype.kind or bounds.dtype == object and bounds[0, 0].calendar != axis.calendar:
        raise SampleError(f"{who}: the bounds {named} are no dates as time has, but {bounds.dtype}; decode both alike")
    return TimeAxis(axis.values, axis.zone, bounds)


def shared_axis(sources: Sequence[Source], period: tuple[Any, Any] | None) -> tuple[TimeAxis, list[int]]:
    """Return the times of [start, end), or all times, and where they begin in each source (0 for statics).

    Nothing is aligned: all sources that move must hold all of these times, at the same step, phase, calendar and zone.
    """
    moving = [source for source in sources if any(source.moves(name) for name in source.variables)]
    if not moving:
        raise SampleError("samples: no source has a time axis; give at least one variable with the dim time")
    _check_moments(moving)
    first = axis_of(moving[0].data, str(moving[0])).checked(str(moving[0]))
    shared = first if period is None else _cut(first, period, str(moving[0]))
    begins = {id(source): begin_in(source, shared, str(moving[0]), whole=period is None) for source in moving}
    return shared, [begins.get(id(source), 0) for source in sources]


def _check_moments(moving: Sequence[Source]) -> None:
    """Raise where point values without intervals stand beside what holds for intervals."""
    points: list[tuple[Source, str]] = []
    spans: list[Source] = []
    for source in moving:
        told = {name: str(source.data[name].attrs.get("cell_methods", "")) for name in source.variables}
        kinds = {name: time_statistic(text) for name, text in told.items() if source.moves(name)}
        bounded = axis_of(source.data, str(source)).bounds is not None or "time_end" in source.data.variables
        points += [(source, name) for name, kind in kinds.items() if kind == "point" and not bounded]
        if bounded or {"mean", "sum", "minimum", "maximum"} & set(kinds.values()):
            spans.append(source)
    for source, name in points:
        if others := [other for other in spans if other is not source]:
            raise SampleError(
                f"{source}: {name} holds at points of time, without intervals, and {others[0]} is of intervals: it is "
                f"not told to which step a value belongs; read it with a step and its label, or give time_bnds"
            )


def _cut(axis: TimeAxis, period: tuple[Any, Any], who: str) -> TimeAxis:
    dates = [parse_time(one, axis.calendar) for one in period]
    start, end = TimeAxis(np.array(dates, dtype=object)).seconds
    held = np.flatnonzero((axis.seconds >= start) & (axis.seconds < end))
    if not len(held) or axis.seconds[held[0]] != start or axis.seconds[held[-1]] + axis.step < end:
        raise SampleError(
            f"{who}: the period {period[0]} to {period[1]} is not covered, or does not begin at one of its times; it "
            f"holds {axis.values[0]} to {axis.values[-1]}"
        )
    return axis.part(int(held[0]), int(held[-1]) + 1)


def begin_in(source: Source, shared: TimeAxis, other: str = "the samples", *, whole: bool = False) -> int:
    """Return where an axis begins in the times of a source; SampleError unless all of it is there.

    With `whole` the source must not hold other times either.
    """
    axis = axis_of(source.data, str(source)).checked(str(source))
    if axis.calendar != shared.calendar:
        raise SampleError(
            f"{source}: its calendar is {axis.calendar}, that of {other} is {shared.calendar}; convert one with "
            f"xarray's convert_calendar"
        )
    if not axis.same_zone(shared):
        raise SampleError(
            f"{source}: its time_zone is {axis.zone!r}, that of {other} is {shared.zone!r}; days of two zones are not "
            f"the same days: make both of one zone from hours, or, where they mean the same, give both one "
            f"attrs['time_zone']"
        )
    begin = int(np.searchsorted(axis.seconds, shared.seconds[0]))
    same = axis.seconds[begin : begin + len(shared)]
    if (whole and len(axis) != len(shared)) or len(same) != len(shared) or (same != shared.seconds).any():
        raise SampleError(
            f"{source}: its times are {axis.values[0]} to {axis.values[-1]} every {axis.step} s, those of {other} "
            f"{shared.values[0]} to {shared.values[-1]} every {shared.step} s; give period=(start, end) that both "
            f"cover, at one step and phase"
        )
    return begin
