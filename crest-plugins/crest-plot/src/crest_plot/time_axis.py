"""When values hold: dates of any calendar as positions on an axis, with the ends of their intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cftime
import numpy as np
import xarray as xr

from crest_core import TimeError, parse_time
from crest_plot.errors import PlotError

_REAL = {"standard", "gregorian", "proleptic_gregorian", "julian", "noleap", "365_day"}


@dataclass(frozen=True)
class TimeAxis:
    """The time axis of a field; starts, ends and positions are datetime64[us]."""

    dates: xr.DataArray  # as in the file: datetime64 or cftime
    starts: np.ndarray
    ends: np.ndarray
    positions: np.ndarray  # where a value is drawn: the middle of its interval, a point value at its time
    when: np.ndarray  # the date that is told: start of the interval, a point value at its time
    label: str
    regular: bool  # most steps have one length
    zone: str = ""  # as `time_zone` tells; "" where it is not told

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, part: Any) -> TimeAxis:
        """Return the axis of some of the times."""
        arrays = {name: getattr(self, name)[part] for name in ("starts", "ends", "positions", "when")}
        return replace(self, dates=self.dates[part], **arrays)

    @property
    def step(self) -> np.timedelta64:
        """The usual length of an interval."""
        return np.median((self.ends - self.starts).astype(np.int64)).astype("timedelta64[us]")

    @property
    def calendar(self) -> str:
        """The calendar of the file."""
        return _calendar(self.dates.values)

    def period(self) -> str:
        """Return the first start and the last end, in words."""
        return f"{tell(self.starts[0])} to {tell(self.ends[-1])}"

    def jumps(self) -> np.ndarray:
        """Return after which times one or more steps are missing altogether; none where steps have no usual length."""
        if not self.regular or len(self) < 3:
            return np.array([], dtype=int)
        distance = np.diff(self.dates.values).astype("timedelta64[us]").astype(np.int64)  # in the calendar of the file
        return np.flatnonzero(distance > 1.5 * np.median(distance))


def time_axis(dataset: xr.Dataset, name: str) -> TimeAxis:
    """Return the time axis of a variable with the dimension time."""
    if "time" not in dataset.coords:
        raise PlotError(f"{name} has the dimension time, and time has no dates; add the coordinate time")
    dates = dataset["time"]
    if dates.dtype.kind not in "MO" or not len(dates) or (dates.dtype.kind == "O" and not _is_date(dates.values[0])):
        raise PlotError(f"{name}: time holds {dates.dtype} and no dates ({len(dates)} of them); give it CF units")
    starts, bounds = places(dates.values), dataset.get(str(dates.attrs.get("bounds", "")))
    if len(starts) > 1 and (np.diff(starts) <= np.timedelta64(0)).any():
        after = int(np.flatnonzero(np.diff(starts) <= np.timedelta64(0))[0])
        repair = "sort the file by time and drop what is double"
        raise PlotError(f"{name}: times do not increase at {tell(starts[after + 1])}; {repair}")
    steps = np.diff(starts).astype(np.int64)
    usual = np.median(steps).astype("timedelta64[us]") if len(steps) else np.timedelta64(1, "D").astype("m8[us]")
    if bounds is not None and bounds.shape == (len(dates), 2) and bounds.dtype.kind in "MO":
        ends = places(bounds.values[:, 1])
        starts = places(bounds.values[:, 0])
    else:
        ends = starts + usual
    point = "time: point" in str(dataset[name].attrs.get("cell_methods", ""))
    if point:
        when = places(dataset["time_end"].values) if "time_end" in dataset.coords else places(dates.values)
    else:
        when = starts
    middle = when if point else starts + (ends - starts) // 2
    regular = len(steps) > 0 and bool(np.isclose(steps, np.median(steps), rtol=0.12).mean() > 0.5)
    return TimeAxis(dates, starts, ends, middle, when, _label(dataset), regular, _zone(dataset))


def places(dates: np.ndarray) -> np.ndarray:
    """Return dates as datetime64[us]; of calendars with days that do not exist, by the fraction of the year."""
    if dates.dtype.kind == "M":
        return dates.astype("datetime64[us]")
    if _calendar(dates) in _REAL:
        return np.array([_same_date(date) for date in dates.flat], dtype="datetime64[us]").reshape(dates.shape)
    return np.array([_by_fraction(date) for date in dates.flat], dtype="datetime64[us]").reshape(dates.shape)


def moment(text: str, axis: TimeAxis, option: str) -> np.datetime64:
    """Return the place of a date that a user gives."""
    try:
        parsed = parse_time(text, "standard" if axis.dates.dtype.kind == "M" else axis.calendar)
    except TimeError as error:
        raise PlotError(f"{option}: {error}") from error
    return places(np.array([parsed], dtype=object))[0]


def tell(time: np.datetime64) -> str:
    """Return a date, with hours where it is not midnight.

    >>> tell(np.datetime64("2014-01-01T06:00")), tell(np.datetime64("2014-01-01T00:00"))
    ('2014-01-01 06:00', '2014-01-01')
    """
    text = str(time.astype("datetime64[m]")).replace("T", " ")
    return text.removesuffix(" 00:00")


def _label(dataset: xr.Dataset) -> str:
    zone = _zone(dataset) or "UTC"
    calendar = _calendar(dataset["time"].values)
    if calendar in ("standard", "gregorian", "proleptic_gregorian"):
        return f"time [{zone}]"
    drawn = "" if calendar in _REAL else ", drawn by the fraction of the year"
    return f"time [{zone}, calendar {calendar}{drawn}]"


def _zone(dataset: xr.Dataset) -> str:
    return str(dataset["time"].attrs.get("time_zone") or dataset.attrs.get("time_zone") or "")


def _calendar(dates: np.ndarray) -> str:
    return "standard" if dates.dtype.kind == "M" else str(dates.flat[0].calendar)


def _is_date(value: Any) -> bool:
    return isinstance(value, cftime.datetime)


def _same_date(date: Any) -> np.datetime64:
    text = f"{date.year:04d}-{date.month:02d}-{date.day:02d}T{date.hour:02d}:{date.minute:02d}:{date.second:02d}"
    try:
        return np.datetime64(text, "us")
    except ValueError:  # 29 February 1900 of the Julian calendar
        return _by_fraction(date)


def _by_fraction(date: Any) -> np.datetime64:
    """Return the date at the same fraction of the real year: a year of 360 days fills it evenly."""
    first, after = (cftime.datetime(year, 1, 1, calendar=date.calendar) for year in (date.year, date.year + 1))
    fraction = (date - first) / (after - first)
    ends = [np.datetime64(f"{year:04d}-01-01", "us") for year in (date.year, date.year + 1)]
    return ends[0] + np.timedelta64(round((ends[1] - ends[0]).astype(np.int64) * fraction), "us")
