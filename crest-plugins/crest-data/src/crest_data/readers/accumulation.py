"""Accumulations: sums since 00 UTC become sums of the hour; traces of packing below zero become zero."""

from __future__ import annotations

import numpy as np
import xarray as xr

from crest_data.errors import DataError
from crest_data.times import to_ticks

_TRACE = 1e-4  # of the sum so far: what packing in 16 bits leaves, with a margin
_PLACES = 2000  # enough to tell sums of a day from sums of an hour
_HOUR = 3_600_000_000  # microseconds


def hourly_sums(total: xr.DataArray, name: str, *, grows: bool) -> tuple[xr.DataArray, list[str]]:
    """Return the sum of the hour that ends at each time, from sums since 00 UTC, and what became missing.

    The value at 00 is the sum of the whole day before (ERA5-Land). An hour after a gap, but the first of a day, is not
    known: nan.
    """
    ticks = to_ticks(total["time"].values)
    ends_first = ticks % (24 * _HOUR) == _HOUR
    follows = np.concatenate([[False], np.diff(ticks) == _HOUR])
    first = xr.DataArray(ends_first, dims="time")
    known = xr.DataArray(ends_first | follows, dims="time")
    total = total.astype(np.float64)
    before = xr.where(first, 0.0, total.shift(time=1))
    step = xr.where(known, total - before, np.nan)
    if grows:
        step = xr.apply_ufunc(
            lambda part, sofar: _grown(part, sofar, name), step, before, dask="parallelized", output_dtypes=[np.float64]
        )
    unknown = int((~known).sum())
    notes = [f"{name}: sums since 00 UTC -> sums of the hour"]
    if unknown:
        notes.append(f"{name}: {unknown} hours after a gap or the start -> missing, their sum is not known")
    return step.transpose(*total.dims).assign_attrs(total.attrs), notes


def check_hourly(total: xr.DataArray, name: str) -> None:
    """Raise DataError where sums of an hour never fall within a day, rise in many of its hours, and drop at 01 UTC.

    That is what sums since 00 UTC do. Evidence are two days of three rises each, or twelve rises; only hours that
    follow each other count. Days are read until one speaks against it.
    """
    ticks = to_ticks(total["time"].values) // _HOUR
    flat = total.stack(place=[dim for dim in total.dims if dim != "time"]).transpose("time", "place")  # noqa: PD013
    flat = flat[:, :: max(1, -(-flat.sizes["place"] // _PLACES))]
    drops, rises, last = False, [], None
    for rows in np.split(np.arange(len(ticks)), np.flatnonzero(np.diff((ticks - 1) // 24)) + 1):
        held, hours = flat[rows].values.astype(np.float64), ticks[rows]
        change, slack, follows = np.diff(held, axis=0), _TRACE * np.abs(held[:-1]), np.diff(hours) == 1
        if (change < -slack)[follows].any():
            return
        rises.append(int(((change > slack).any(axis=1) & follows).sum()))
        if last is not None and hours[0] % 24 == 1 and hours[0] - last[0] == 1:
            drops |= bool((held[0] < 0.5 * last[1]).any())
        last = hours[-1], held[-1]
        if drops and (sum(many >= 3 for many in rises) >= 2 or sum(rises) >= 12):
            raise DataError(
                f"{name}: the sums rise through the day and fall at 01 UTC alone: they are sums since 00 UTC, as of "
                f"ERA5-Land; read them with read_era5_land; if they are sums of one hour, read_netcdf takes them with "
                f"step='1h' and label='end'"
            )


def without_traces(values: xr.DataArray, name: str) -> tuple[xr.DataArray, list[str]]:
    """Return values with zero for negative ones no larger than packing leaves, and how many there were."""
    scale = abs(float(values.encoding.get("scale_factor", 0.0)))
    smallest = max(scale, 1e-9 if str(values.attrs.get("units", "")).startswith("m") else 1.0)  # m, J m-2
    traces = (values < 0) & (values >= -smallest)
    notes = [] if values.chunks is not None else _noted(int(traces.sum()), smallest, name)
    cleaned = values.where(~traces, 0.0)
    cleaned.encoding = values.encoding
    return cleaned, notes


def _noted(count: int, smallest: float, name: str) -> list[str]:
    return [f"{name}: {count} values from {-smallest:.2g} to 0 -> 0, traces of packing"] if count else []


def _grown(step: np.ndarray, before: np.ndarray, name: str) -> np.ndarray:
    """Return the sums of hours, at least zero; DataError if a sum falls within a day by more than packing explains."""
    fallen = step < -_TRACE * np.abs(before)
    if fallen.any():
        at = np.unravel_index(int(fallen.argmax()), fallen.shape)
        raise DataError(
            f"{name}: the sum since 00 UTC falls by {-step[at]:g} from {before[at]:g} within a day; sums of "
            f"ERA5 are of one hour each: read them with read_era5"
        )
    return np.where(step < 0, 0.0, step)
