"""Clock: a period cut into equal steps, in any calendar.

Every time is a cftime date; datetime64 appears only at the xarray edge (`to_xarray_time`, `from_xarray_time`). An
interval is [start, end), named by its start. Dates have no time zone: UTC.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import cftime
import numpy as np

from crest_fields.errors import TimeError

# By calendar, the class of dates that xarray makes.
_DATES = {"standard": cftime.DatetimeGregorian, "noleap": cftime.DatetimeNoLeap, "360_day": cftime.Datetime360Day}
CALENDARS = tuple(_DATES)
_ALIASES = {"gregorian": "standard", "proleptic_gregorian": "standard", "365_day": "noleap"}  # since 1582
_SECONDS = {"D": 86400, "h": 3600, "min": 60, "s": 1}
_STEP = re.compile(rf"\s*(\d{{0,9}})\s*({'|'.join(_SECONDS)})\s*")  # more digits overflow
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.0+)?)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")
_CONVERT = "convert the data with xarray's convert_calendar or give the run the calendar of the data"


def check_calendar(name: str) -> str:
    """Return the calendar's own name ("gregorian" is standard, "365_day" is noleap)."""
    calendar = _ALIASES.get(name, name)
    if calendar not in CALENDARS:
        raise TimeError(f"calendar {name!r} is not one of {', '.join((*CALENDARS, *_ALIASES))}")
    return calendar


def parse_timestep(text: str | timedelta) -> timedelta:
    """Return the step that "1D", "6h", "30min" or "10s" means; a timedelta passes through."""
    step = text
    if isinstance(step, str):
        match = _STEP.fullmatch(step)
        if match is None:
            raise TimeError(
                f"timestep {text!r} is not a whole number and one of {', '.join(_SECONDS)}, as '1D', '6h' or '30min'; "
                f"months and years have no fixed length"
            )
        step = timedelta(seconds=int(match[1] or 1) * _SECONDS[match[2]])
    if step <= timedelta(0) or step.microseconds:
        raise TimeError(f"timestep {text!r}: expected a positive number of whole seconds")
    return step


def format_timestep(step: timedelta) -> str:
    """Return the shortest text that `parse_timestep` reads back: 3600 s is "1h"."""
    seconds = int(step.total_seconds())
    unit = next(unit for unit, length in _SECONDS.items() if seconds % length == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_time(value: str | date | np.datetime64 | cftime.datetime, calendar: str = "standard") -> Any:
    """Return the cftime date of `value` in `calendar`; text, datetimes and Timestamps mean the date they show.

    >>> parse_time("2001-03-01T06:00", "noleap").isoformat()
    '2001-03-01T06:00:00'
    """
    calendar = check_calendar(calendar)
    if isinstance(value, cftime.datetime) and check_calendar(value.calendar) != calendar:
        raise TimeError(f"time {value} is in the calendar {value.calendar}, expected {calendar}; {_CONVERT}")
    text = str(value).strip()
    match = _ISO.fullmatch(text)
    if match is None:
        raise TimeError(f"time {text!r} is not an ISO date at a whole second, as 2014-01-01 or 2014-01-01T06:00")
    *parts, zone = match.groups()
    if zone:
        raise TimeError(f"time {text!r} has a time zone; convert it to UTC and drop the zone, as 2014-01-01T06:00")
    try:
        return _DATES[calendar](*(int(part or 0) for part in parts))
    except ValueError as error:
        raise TimeError(f"time {text!r} does not exist in the calendar {calendar}: {error}") from error


def to_xarray_time(times: Any, calendar: str) -> np.ndarray:
    """Return datetime64[ns] in the standard calendar, else (and outside 1678-2261) an array of cftime dates."""
    dates = np.asarray(times, dtype=object)
    if check_calendar(calendar) != "standard" or not all(1678 <= time.year < 2262 for time in dates.flat):
        return dates
    return np.array([time.isoformat() for time in dates.flat], dtype="datetime64[ns]").reshape(dates.shape)


def from_xarray_time(values: Any, calendar: str) -> np.ndarray:
    """Return the cftime dates of a time coordinate; TimeError if its calendar is another one."""
    array = np.asarray(values)
    if array.dtype.kind == "M" and check_calendar(calendar) != "standard":
        raise TimeError(f"times are datetime64, so their calendar is standard; expected {calendar}; {_CONVERT}")
    dates = [parse_time(value, calendar) for value in array.flat]
    return np.array(dates, dtype=object).reshape(array.shape)


@dataclass(frozen=True)
class Clock:
    """The period [start, end) in steps of equal length; times and timestep may be given as text.

    >>> clock = Clock("2000-02-28", "2000-03-02", "1D", "noleap")
    >>> [time.isoformat()[:10] for time in clock.times]
    ['2000-02-28', '2000-03-01']
    """

    start: Any  # as `parse_time` reads it; then cftime
    end: Any
    timestep: Any  # as `parse_timestep` reads it; then timedelta
    calendar: str = "standard"

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", parse_time(self.start, self.calendar))
        object.__setattr__(self, "end", parse_time(self.end, self.calendar))
        object.__setattr__(self, "timestep", parse_timestep(self.timestep))
        object.__setattr__(self, "calendar", check_calendar(self.calendar))
        length = self.end - self.start
        if length <= timedelta(0):
            raise TimeError(f"the period {self.describe()} is empty; the end is excluded and must lie after the start")
        if length % self.timestep:
            raise TimeError(f"the period {self.describe()} lasts {length}, not a multiple of the step; move the end")

    def __len__(self) -> int:
        return (self.end - self.start) // self.timestep

    @cached_property
    def bounds(self) -> np.ndarray:
        """Start and end of each step, (time, 2) cftime dates: CF time_bnds."""
        seconds = np.arange(len(self) + 1) * round(self.timestep.total_seconds())
        edges = cftime.num2date(seconds, f"seconds since {self.start}", calendar=self.calendar)
        bounds = np.stack([edges[:-1], edges[1:]], axis=1)
        bounds.flags.writeable = False
        return bounds

    @property
    def times(self) -> np.ndarray:
        """Starts of the steps, an object array (time,) of cftime dates."""
        return self.bounds[:, 0]

    def windows(self, length: str | timedelta = "365D") -> list[tuple[int, int]]:
        """Return step ranges (first, last + 1) cut at multiples of `length` since 2000: the same after a restart."""
        origin, size = _DATES[self.calendar](2000, 1, 1), parse_timestep(length)
        window = [(time - origin) // size for time in self.times]
        return list(pairwise([0, *(np.flatnonzero(np.diff(window)) + 1).tolist(), len(self)]))

    def sub(self, first: int, stop: int) -> Self:
        """Return the clock of the steps first, ..., stop - 1."""
        if not 0 <= first < stop <= len(self):
            raise TimeError(f"steps {first} to {stop} do not lie within the {len(self)} steps of {self.describe()}")
        return replace(self, start=self.start + first * self.timestep, end=self.start + stop * self.timestep)

    def describe(self) -> str:
        """Return "2014-01-01T00:00:00 to 2015-01-01T00:00:00 by 1D (standard)"."""
        period = f"{self.start.isoformat()} to {self.end.isoformat()}"
        return f"{period} by {format_timestep(self.timestep)} ({self.calendar})"
