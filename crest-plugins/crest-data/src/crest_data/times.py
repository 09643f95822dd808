"""Times: UTC starts of intervals with their bounds, in a declared calendar; gaps are kept and told."""

from __future__ import annotations

import re
from datetime import timedelta

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from crest_core import TimeError, parse_timestep
from crest_data.errors import DataError
from crest_data.time_checks import check_order, check_reform, check_step, iso

_NAMES = ("time", "valid_time", "date", "datetime", "timestamp")
_LABELS = {"start": 0, "middle": 1, "end": 2}  # halves of a step after the start
_OFFSET = re.compile(r"UTC\s*([+-])(\d{1,2})(?::(\d\d))?")
_ZONE = re.compile(r"UTC(?:\s*[+-]\d{1,2}(?::[0-5]\d)?)?(?:[,;].*)?|local\b.*", re.DOTALL)
_DAY = 86_400_000_000  # microseconds
_HOUR = 3_600_000_000  # microseconds
_FARTHEST = 14 * _HOUR  # from UTC
# Calendars by the names that CREST uses; since 1582 the first three are one.
_CALENDARS = {"standard": "standard", "gregorian": "standard", "proleptic_gregorian": "standard",
              "noleap": "noleap", "365_day": "noleap", "360_day": "360_day"}  # fmt: skip


def label_times(
    dataset: xr.Dataset, *, step: str | None, label: str, time_zone: str, points: bool = False, sampled: bool = False
) -> tuple[xr.Dataset, dict[str, str], list[str]]:
    """Return the dataset with labelled times and bounds, global attributes about time, and what was changed.

    Bounds that the source has are kept, whatever the label; without them and without a step the times are those of
    point values. With `points` the ends of the intervals, at which point values hold, are the coordinate time_end.
    """
    if label not in _LABELS:
        raise DataError(f"label {label!r} is not one of {', '.join(_LABELS)}")
    dataset, changes = _renamed(dataset)
    dataset, more = _plain(dataset, time_zone)
    calendar = calendar_of(dataset["time"].values)
    ticks = to_ticks(dataset["time"].values)
    length = None if step is None else round(_step(step).total_seconds() * 1e6)
    check_order(dataset["time"].values, ticks, length)
    if not sampled and bounds_of(dataset) not in dataset.variables:
        check_step(ticks, length)
    bounds = bounds_of(dataset)
    told_edges = _edges(dataset[bounds], calendar) if bounds in dataset.variables else None
    moved, told = _shift("start" if told_edges is not None else label, length, time_zone)
    edges, gaps = None, {} if length is None else gaps_of(dataset["time"].values, length)
    if told_edges is not None:
        _check_within(ticks, told_edges, calendar)
        edges = told_edges + moved
        dataset, told = dataset.drop_vars(bounds), [*told, *_started(edges, ticks + moved)]
        _check_bounds(edges, calendar, length)
    elif length is not None:
        edges = np.stack([ticks + moved, ticks + moved + length], axis=1)
        if points and label == "start":
            told.append("time: point values -> the end of the step that begins at their time, as label start says")
    starts = ticks + moved if edges is None else edges[:, 0]
    if edges is not None:  # told anew, from the bounds
        dataset = dataset.drop_vars("time_end", errors="ignore")
    dataset = dataset.assign_coords(time_coordinates(starts, edges, calendar, points=points))
    return dataset, {"time_zone": _zone_now(time_zone, length), "calendar": calendar, **gaps}, [*changes, *more, *told]


def one_time(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with a dim of the one date that it is of; as it is if it has several, or none."""
    dims = {str(dim).lower() for dim in dataset.dims}
    dates = [str(name) for name, held in dataset.coords.items() if str(name).lower() in _NAMES and not held.ndim]
    if dims & {*_NAMES} or not dates:
        return dataset, []
    if len(dates) > 1:
        raise DataError(f"{dates} may each be the time; drop all but that of the values")
    return dataset.expand_dims(dates[0]), [f"one {dates[0]}: added the dim"]


def bounds_of(dataset: xr.Dataset) -> str:
    """Return the name of the bounds of time, which xarray may have moved to the encoding; "" if none is told."""
    time = dataset["time"]
    return str(time.attrs.get("bounds", time.encoding.get("bounds", "")))


def calendar_of(times: np.ndarray) -> str:
    """Return standard, noleap or 360_day; DataError for any other, and for dates of several."""
    check_reform(times)
    dates = times.ravel().tolist() if times.dtype.kind == "O" else []
    told = (date.calendar if isinstance(date, cftime.datetime) else "standard" for date in dates)
    names = list(dict.fromkeys(told)) or ["standard"]
    if unknown := [name for name in names if name not in _CALENDARS]:
        raise DataError(
            f"time: calendar {unknown[0]!r}; expected standard, noleap or 360_day; use xarray's convert_calendar"
        )
    found = list(dict.fromkeys(_CALENDARS[name] for name in names))
    if len(found) > 1:
        raise DataError(f"time: dates of the calendars {' and '.join(found)}; read those of each by themselves")
    return found[0]


def to_ticks(times: np.ndarray) -> np.ndarray:
    """Return times as microseconds since 1970 in their own calendar, int64."""
    if times.dtype.kind == "M":
        return times.astype("datetime64[us]").astype(np.int64)
    if not times.size:
        return np.zeros(times.shape, dtype=np.int64)
    calendar = calendar_of(times)
    return np.asarray(cftime.date2num(times, "microseconds since 1970-01-01", calendar=calendar), dtype=np.int64)


def from_ticks(ticks: np.ndarray, calendar: str) -> np.ndarray:
    """Return datetime64[ns] in the standard calendar (1678 to 2261), else cftime dates."""
    limits = np.array(["1678-01-01", "2262-01-01"], dtype="datetime64[us]").astype(np.int64)
    if calendar == "standard" and (not ticks.size or (ticks.min() >= limits[0] and ticks.max() < limits[1])):
        return ticks.astype("datetime64[us]").astype("datetime64[ns]")
    dates = cftime.num2date(ticks, "microseconds since 1970-01-01", calendar=calendar, only_use_cftime_datetimes=True)
    return np.asarray(dates, dtype=object)


def _edges(bounds: xr.DataArray, calendar: str) -> np.ndarray:
    """Return the bounds of the intervals as microseconds in the calendar of the times."""
    edges = bounds.transpose("time", ...).values
    if (other := calendar_of(edges)) != calendar:
        raise DataError(f"{bounds.name}: calendar {other}, time: calendar {calendar}; correct the one that is wrong")
    return to_ticks(edges)


def _step(step: str) -> timedelta:
    try:
        return parse_timestep(step)
    except TimeError as error:
        raise DataError(f"step: {error}") from error


def _renamed(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    held = [str(name) for name in dataset.dims if str(name).lower() in _NAMES]
    if len(held) != 1:
        raise DataError(f"expected one dim of time, got {held or sorted(map(str, dataset.dims))}; rename it to 'time'")
    if held[0] not in dataset.coords:
        raise DataError(f"the dim {held[0]} has no times; add the coordinate")
    if held == ["time"]:
        return dataset, []
    if "time" in dataset.variables:  # a scalar, the reference time of a forecast
        raise DataError(f"both {held[0]} (dim) and time exist; drop the one that is not the time of the values")
    return dataset.rename({held[0]: "time"}), [f"renamed dim {held[0]} -> time"]


def _plain(dataset: xr.Dataset, time_zone: str) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with dates: times with a zone become UTC, and `time_zone` tells no other."""
    coordinate = dataset["time"]
    index = coordinate.to_index()
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        if time_zone != "UTC":
            raise DataError(f"time_zone {time_zone!r}: the times tell their own zone ({index.tz}); leave time_zone out")
        plain = index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")
        note = [] if str(index.tz) == "UTC" else [f"time: {index.tz} -> UTC"]
        return dataset.assign_coords(time=("time", plain, coordinate.attrs)), note
    values = coordinate.values
    dates = values.dtype.kind == "M" or all(isinstance(one, cftime.datetime) for one in values)
    if not values.size or not dates:
        units = coordinate.attrs.get("units", "no units")
        raise DataError(
            f"time: expected dates, got {len(values)} of {values.dtype} with {units}; open the file with "
            f"decode_times=True, or choose a period that holds data"
        )
    if values.dtype.kind == "M" and np.isnat(values).any():
        raise DataError(f"time: no date at index {int(np.flatnonzero(np.isnat(values))[0])}; remove or repair that row")
    return dataset, []


def _shift(label: str, length: int | None, time_zone: str) -> tuple[int, list[str]]:
    """Return by how many microseconds times move, and why."""
    moved, changes = 0, []
    if label != "start" and length is not None:
        moved = -(length * _LABELS[label] // 2)
        changes.append(f"time: label {label} -> start of the interval, {timedelta(microseconds=-moved)} earlier")
    if length is not None and length < _DAY:
        _check_zone(time_zone)
    offset = _offset(time_zone)
    if offset and length is not None and length < _DAY:
        moved -= offset
        changes.append(f"time: {time_zone} -> UTC")
    return moved, changes


def _check_zone(time_zone: str) -> None:
    """Raise where the text of a zone is none that is understood, so that hours would be taken for those of UTC."""
    if not _ZONE.fullmatch(time_zone) or abs(_offset(time_zone)) > _FARTHEST:
        raise DataError(
            f"time_zone {time_zone!r}: for steps shorter than a day expected 'UTC', 'UTC+h' or 'UTC-h:mm' within 14 "
            f"hours, or a text that begins with 'local'; a name has no fixed offset: give that of its standard time"
        )


def _offset(time_zone: str) -> int:
    """Return the offset from UTC that the text tells, in microseconds; 0 if none."""
    match = _OFFSET.search(time_zone)
    if match is None:
        return 0
    sign = 1 if match[1] == "+" else -1
    return sign * (int(match[2]) * _HOUR + int(match[3] or 0) * _HOUR // 60)


def _zone_now(time_zone: str, length: int | None) -> str:
    return "UTC" if _offset(time_zone) and length is not None and length < _DAY else time_zone


def gaps_of(times: np.ndarray, length: int) -> dict[str, str]:
    """Return the attribute that tells of steps [microseconds] that are absent; {} if none is."""
    steps = np.diff(to_ticks(times)) // length - 1
    if not steps.any():
        return {}
    first = iso(times[int(np.flatnonzero(steps)[0])])
    return {"gaps": f"{int((steps > 0).sum())} gaps, {int(steps.sum())} steps absent, the first after {first}; kept"}


def _started(edges: np.ndarray, ticks: np.ndarray) -> list[str]:
    return [] if (edges[:, 0] == ticks).all() else ["time: label -> start of the interval, as the bounds tell"]


def _check_within(ticks: np.ndarray, edges: np.ndarray, calendar: str) -> None:
    """Raise where a time lies outside of its own interval: one of the two was written wrongly."""
    outside = np.flatnonzero((ticks < edges[:, 0]) | (ticks > edges[:, 1]))
    if outside.size:
        at = int(outside[0])
        time, start, end = from_ticks(np.array([ticks[at], *edges[at]]), calendar)
        raise DataError(
            f"time at index {at}: {time} lies outside of its bounds, {start} to {end}; correct the time or the bounds"
        )


def _check_bounds(edges: np.ndarray, calendar: str, length: int | None) -> None:
    """Raise where an interval is empty, overlaps the one before, or is not of the length asked for."""
    empty = np.flatnonzero(edges[:, 1] <= edges[:, 0])
    overlap = np.flatnonzero(edges[1:, 0] < edges[:-1, 1]) + 1
    faults = [(int(at), "is empty") for at in empty] + [(int(at), "overlaps the one before") for at in overlap]
    if length is not None:
        other = np.flatnonzero(edges[:, 1] - edges[:, 0] != length)
        faults += [(int(at), f"does not last the step {timedelta(microseconds=length)}") for at in other]
    for at, what in faults[:1]:
        start, end = (iso(time) for time in from_ticks(edges[at], calendar))
        raise DataError(
            f"time bounds at index {at}: the interval {start} to {end} {what}; correct the bounds or the step"
        )


def time_coordinates(
    starts: np.ndarray, edges: np.ndarray | None, calendar: str, *, points: bool
) -> dict[str, xr.Variable]:
    """Return the coordinate time, with edges its bounds, and for point values the ends at which they hold."""
    times = from_ticks(starts, calendar)
    encoding = {"units": "seconds since 1970-01-01", "calendar": calendar, "dtype": "int64"}
    attributes = {"standard_name": "time", "axis": "T"}
    if edges is None:
        return {"time": xr.Variable("time", times, attributes, encoding)}
    attributes |= {"long_name": "start of the interval", "bounds": "time_bnds"}
    bounds = from_ticks(edges, calendar)
    ends = {"standard_name": "time", "long_name": "end of the interval, time of point values"}
    found = {
        "time": xr.Variable("time", times, attributes, encoding),
        "time_bnds": xr.Variable(("time", "bnds"), bounds, {}, encoding),
        "time_end": xr.Variable("time", bounds[:, 1], ends, encoding),
    }
    return found if points else {name: found[name] for name in ("time", "time_bnds")}
