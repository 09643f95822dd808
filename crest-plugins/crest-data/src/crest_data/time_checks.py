"""What times must be: sorted, whole steps apart, of days that the standard calendar has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import cftime
import numpy as np

from crest_data.errors import DataError

_DAY = 86_400_000_000  # microseconds
_HOUR = 3_600_000_000  # microseconds
_REFORM = "1582-10-15"  # since this day proleptic_gregorian is the standard calendar


def check_reform(times: np.ndarray) -> None:
    """Raise at a proleptic date before the reform, which as one of the standard calendar would be another day."""
    if times.dtype.kind == "M":
        early = times[times.astype("datetime64[D]") < np.datetime64(_REFORM)].ravel()[:1].astype("datetime64[s]")
    else:
        early = np.array([one for one in times.ravel() if _is_before_reform(one)][:1], dtype=object)
    if early.size:
        raise DataError(
            f"time: {iso(early[0])} of the calendar proleptic_gregorian is before {_REFORM}, where that is not the "
            f"standard calendar; keep the times since then, or bring all to noleap, without their 29 February, by "
            f"xarray's convert_calendar"
        )


def _is_before_reform(date: Any) -> bool:
    proleptic = isinstance(date, cftime.datetime) and date.calendar == "proleptic_gregorian"
    return proleptic and f"{date.year:04}-{date.month:02}-{date.day:02}" < _REFORM


def check_order(times: np.ndarray, ticks: np.ndarray, length: int | None) -> None:
    """Raise where a time appears twice, goes back, or is not a whole number of steps after the one before."""
    gaps = np.diff(ticks)
    odd = (gaps <= 0) if length is None else (gaps <= 0) | (gaps % length != 0)
    if not odd.any():
        return
    at = int(np.flatnonzero(odd)[0])
    before, now, gap = times[at], times[at + 1], int(gaps[at])
    where = f"time {iso(now)} at index {at + 1}"
    if gap == 0:
        clock = "; a clock with daylight saving time repeats an hour: give UTC" if length and length < _DAY else ""
        raise DataError(f"{where} appears twice; keep one{clock}")
    if gap < 0:
        clock = "; a clock with daylight saving time goes back an hour: give UTC" if gap >= -_HOUR else ""
        raise DataError(f"{where} follows {iso(before)}: not sorted; sort by time{clock}")
    span = timedelta(microseconds=gap)
    raise DataError(
        f"{where} follows {iso(before)} by {span}, not a multiple of the step {timedelta(microseconds=length or 0)}; "
        f"give the true step, or bring the data to it"
    )


def check_step(ticks: np.ndarray, length: int | None) -> None:
    """Raise where all times are farther apart than a step: the values may be of weeks, not of days."""
    gaps = np.diff(ticks)
    if length is not None and gaps.size > 1 and (gaps > length).all():
        raise DataError(
            f"no two times follow each other by the step {timedelta(microseconds=length)}; the nearest two are "
            f"{timedelta(microseconds=int(gaps.min()))} apart; give the true step, or the bounds of the intervals"
        )


def iso(time: Any) -> str:
    """Return a datetime64 or cftime date as ISO text to the second."""
    return str(time.astype("datetime64[s]")) if isinstance(time, np.datetime64) else str(time.isoformat())
