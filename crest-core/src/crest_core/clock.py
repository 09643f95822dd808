"""Clock: a period cut into equal steps, in any calendar.

Every time is a cftime date; datetime64 appears only at the xarray edge (`to_xarray_time`,
`from_xarray_time`). An interval is [start, end), named by its start. Dates have no time zone: UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, TypeAlias

import cftime
import numpy as np

from crest_core.errors import TimeError

CALENDARS = ("standard", "proleptic_gregorian", "noleap", "360_day")
Instant: TypeAlias = str | date | np.datetime64 | cftime.datetime
"""What `parse_time` reads: ISO text, datetime or pandas Timestamp, datetime64, cftime."""

_ALIASES = {"gregorian": "standard", "365_day": "noleap"}
_DATES: dict[str, Any] = {  # the classes that xarray makes
    "standard": cftime.DatetimeGregorian,
    "proleptic_gregorian": cftime.DatetimeProlepticGregorian,
    "noleap": cftime.DatetimeNoLeap,
    "360_day": cftime.Datetime360Day,
}
_REAL = CALENDARS[:2]  # the same since the reform of 15 October 1582
_REFORM = (1582, 10, 15)
_SECONDS = {"D": 86400, "h": 3600, "min": 60, "s": 1}
_STEP = re.compile(r"(\d*)\s*([A-Za-z]+)")
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.0+)?)?)?)?\s*(Z|[+-]\d\d:?\d\d)?")


def check_calendar(name: str) -> str:
    """Return the calendar's own name ("gregorian" is standard, "365_day" is noleap)."""
    calendar = _ALIASES.get(name, name)
    if calendar not in CALENDARS:
        raise TimeError(
            f"calendar {name!r} is not one of {', '.join(CALENDARS)} "
            f"(gregorian and 365_day are read as standard and noleap)"
        )
    return calendar


def parse_timestep(text: str | timedelta) -> timedelta:
    """Return the step that "1D", "6h", "30min" or "10s" means; a timedelta passes through."""
    if isinstance(text, timedelta):
        step = text
    else:
        match = _STEP.fullmatch(text.strip())
        if match and match[2] in ("M", "MS", "ME", "Y", "YS", "YE", "A", "AS", "Q", "QS", "QE"):
            raise TimeError(
                f"timestep {text!r}: steps of months and years have no fixed length and are not "
                f"built yet; use days, as '1D'"
            )
        if not match or match[2] not in _SECONDS:
            raise TimeError(
                f"timestep {text!r} is not a whole number and one of {', '.join(_SECONDS)}, as '1D', '6h' or '30min'"
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


def parse_time(value: Instant, calendar: str = "standard") -> Any:
    """Return the cftime date of `value` in `calendar`; text and datetimes mean the date they show.

    >>> parse_time("2001-03-01T06:00", "noleap").isoformat()
    '2001-03-01T06:00:00'
    """
    calendar = check_calendar(calendar)
    if isinstance(value, cftime.datetime):
        parts = _cftime_parts(value, calendar)
    elif isinstance(value, np.datetime64):
        parts = _text_parts(str(np.datetime_as_string(value)))
    elif isinstance(value, date):  # datetime and pandas Timestamp too
        parts = _text_parts(value.isoformat())
    elif isinstance(value, str):
        parts = _text_parts(value)
    else:
        raise TimeError(
            f"time {value!r} is a {type(value).__name__}; expected ISO text such as "
            f"'2014-01-01T06:00', a datetime, a datetime64 or a cftime date"
        )
    try:
        return _DATES[calendar](*parts)
    except ValueError as error:
        raise TimeError(f"time {str(value)!r} does not exist in the calendar {calendar}: {error}") from error


def to_xarray_time(times: Any, calendar: str) -> np.ndarray:
    """Return datetime64[ns] in real calendars, else an array of cftime dates.

    Dates outside 1678-2261, which datetime64[ns] cannot hold, stay cftime in every calendar.
    """
    dates = np.asarray(times, dtype=object)
    flat = dates.ravel()
    if check_calendar(calendar) not in _REAL or not all(1678 <= t.year < 2262 for t in flat):
        return dates
    if not flat.size:
        return dates.astype("datetime64[ns]")
    seconds = cftime.date2num(flat, "seconds since 1970-01-01", calendar=flat[0].calendar)
    whole = np.asarray(seconds, dtype="int64").reshape(dates.shape)
    return whole.astype("datetime64[s]").astype("datetime64[ns]")


def from_xarray_time(values: Any, calendar: str) -> np.ndarray:
    """Return the cftime dates of a time coordinate; TimeError if its calendar is another one."""
    calendar = check_calendar(calendar)
    array = np.asarray(values)
    if array.dtype.kind == "M" and calendar not in _REAL:
        raise TimeError(
            f"times are datetime64, so their calendar is standard; expected {calendar}: convert "
            f"with xarray's convert_calendar({calendar!r}), or run the model in 'standard'"
        )
    seconds = array.astype("datetime64[s]") if array.dtype.kind == "M" else np.empty(0)
    if not seconds.size or seconds.min() < np.datetime64("1582-10-15"):
        dates = np.empty(array.size, dtype=object)
        dates[:] = [parse_time(value, calendar) for value in array.ravel()]
        return dates.reshape(array.shape)
    odd = np.isnat(array) | (seconds != array)
    if odd.any():
        raise TimeError(f"time {str(array[odd][0])!r} is missing or not at a whole second; repair the data")
    return np.asarray(_number_to_date(seconds.astype("int64"), "1970-01-01", calendar))


@dataclass(frozen=True, init=False)
class Clock:
    """The period [start, end) in steps of equal length; times may be given as text.

    >>> clock = Clock("2000-02-28", "2000-03-02", "1D", "noleap")
    >>> [time.isoformat()[:10] for time in clock.times]
    ['2000-02-28', '2000-03-01']
    """

    start: Any  # cftime
    end: Any
    timestep: timedelta
    calendar: str

    def __init__(
        self,
        start: Instant,
        end: Instant,
        timestep: str | timedelta,
        calendar: str = "standard",
    ) -> None:
        calendar = check_calendar(calendar)
        values = {
            "start": parse_time(start, calendar),
            "end": parse_time(end, calendar),
            "timestep": parse_timestep(timestep),
            "calendar": calendar,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        length, step = self.end - self.start, format_timestep(self.timestep)
        if length <= timedelta(0):
            raise TimeError(
                f"the period from {self.start.isoformat()} to {self.end.isoformat()} is empty; the "
                f"end is excluded and must lie after the start"
            )
        if length % self.timestep:
            raise TimeError(
                f"the period from {self.start.isoformat()} to {self.end.isoformat()} lasts "
                f"{length}, not a multiple of the timestep {step}; move the end or change the step"
            )

    def __len__(self) -> int:
        return (self.end - self.start) // self.timestep

    @property
    def seconds(self) -> float:
        """Length of a step [s]."""
        return self.timestep.total_seconds()

    @cached_property
    def _edges(self) -> Any:
        offsets = np.arange(len(self) + 1, dtype="int64") * int(self.seconds)
        edges = _number_to_date(offsets, self.start.isoformat(sep=" "), self.calendar)
        edges.flags.writeable = False
        return edges

    @property
    def times(self) -> np.ndarray:
        """Starts of the steps, an object array (time,) of cftime dates."""
        return np.asarray(self._edges[:-1])

    @property
    def ends(self) -> np.ndarray:
        """Ends of the steps, each the start of the next."""
        return np.asarray(self._edges[1:])

    @property
    def bounds(self) -> np.ndarray:
        """Start and end of each step, (time, 2): CF time_bnds."""
        return np.stack([self.times, self.ends], axis=1)

    def windows(self, length: str | timedelta = "365D") -> list[tuple[int, int]]:
        """Return step ranges (first, last + 1) cut at multiples of `length` since 2000-01-01.

        The cuts do not depend on the start of the clock: a restarted run cuts at the same times.
        """
        size = int(parse_timestep(length).total_seconds())
        step = int(self.seconds)
        first = (self.start - _DATES[self.calendar](2000, 1, 1)) // timedelta(seconds=1)
        window = (first + np.arange(len(self), dtype="int64") * step) // size
        cuts = [0, *(np.flatnonzero(np.diff(window)) + 1).tolist(), len(self)]
        return list(zip(cuts[:-1], cuts[1:], strict=True))

    def sub(self, first: int, stop: int) -> Clock:
        """Return the clock of the steps first, ..., stop - 1."""
        if not 0 <= first < stop <= len(self):
            raise TimeError(
                f"steps {first} to {stop} do not lie within the {len(self)} steps of the clock {self.describe()}"
            )
        begin = self.start + first * self.timestep
        return Clock(begin, self.start + stop * self.timestep, self.timestep, self.calendar)

    def describe(self) -> str:
        """Return "2014-01-01T00:00:00 to 2015-01-01T00:00:00 by 1D (standard)"."""
        step = format_timestep(self.timestep)
        return f"{self.start.isoformat()} to {self.end.isoformat()} by {step} ({self.calendar})"


def _number_to_date(seconds: np.ndarray, origin: str, calendar: str) -> Any:
    return cftime.num2date(seconds, f"seconds since {origin}", calendar=calendar)


def _cftime_parts(time: Any, calendar: str) -> tuple[int, ...]:
    if time.calendar != calendar:
        late = (time.year, time.month, time.day) >= _REFORM
        if not (late and time.calendar in _REAL and calendar in _REAL):
            raise TimeError(
                f"time {time.isoformat()} is in the calendar {time.calendar or 'without a name'}, "
                f"expected {calendar}; convert the data with xarray's convert_calendar or give the "
                f"run the calendar of the data"
            )
    if time.microsecond:
        raise TimeError(f"time {time.isoformat()!r} is not at a whole second; round the data")
    return (time.year, time.month, time.day, time.hour, time.minute, time.second)


def _text_parts(text: str) -> tuple[int, ...]:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise TimeError(f"time {text!r} is not an ISO date at a whole second, as 2014-01-01 or 2014-01-01T06:00")
    if match[7]:
        raise TimeError(f"time {text!r} has a time zone; convert it to UTC and drop the zone, as 2014-01-01T06:00")
    return tuple(int(part or 0) for part in match.groups()[:6])
