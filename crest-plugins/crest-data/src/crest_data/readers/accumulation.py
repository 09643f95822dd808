"""Accumulations: sums since 00 UTC become sums of the hour; traces of packing below zero become zero."""

from __future__ import annotations

import numpy as np
import xarray as xr

from crest_data.errors import DataError

_TRACE = 1e-4  # of the sum so far: what packing in 16 bits leaves, with a margin
_LOOKED_AT = 240, 2000  # hours and places: enough to tell sums of a day from sums of an hour


def hourly_sums(total: xr.DataArray, name: str, *, grows: bool) -> tuple[xr.DataArray, list[str]]:
    """Return the sum of the hour that ends at each time, from sums since 00 UTC, and what became missing.

    The value at 00 is the sum of the whole day before (ERA5-Land). An hour after a gap, but the first of a day, is not
    known: nan.
    """
    times = total["time"].values
    ends_first = (times - times.astype("datetime64[D]")) == np.timedelta64(1, "h")
    follows = np.concatenate([[False], np.diff(times) == np.timedelta64(1, "h")])
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
    """Raise DataError where sums of an hour rise through the day and fall at 01 UTC alone, as sums since 00 UTC do.

    Two such days, or one on which the sum also stands still, are taken for that; in a file with less of it nothing is
    found.
    """
    hours, places = _LOOKED_AT
    flat = total.isel(time=slice(None, hours)).stack(place=[dim for dim in total.dims if dim != "time"])  # noqa: PD013
    values = flat.transpose("time", "place")[:, :: max(1, flat.sizes["place"] // places)].values
    times = total["time"].values[: len(values)]
    change = np.diff(values.astype(np.float64), axis=0)
    first = (times - times.astype("datetime64[D]"))[1:] == np.timedelta64(1, "h")
    traces = _TRACE * np.abs(values[:-1])
    falls = (change < -traces).any(axis=1)
    stands = (change == 0) & (values[:-1] > 0)
    if falls.any() and not (falls & ~first).any() and ((falls & first).sum() > 1 or stands.any()):
        raise DataError(
            f"{name}: the sums rise through the day and fall at 01 UTC alone: they are sums since 00 UTC, as of "
            f"ERA5-Land; read them with read_era5_land"
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
