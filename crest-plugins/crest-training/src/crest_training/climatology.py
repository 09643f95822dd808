"""The day-of-year climatology: what a model has to beat before it is said to know anything."""

from __future__ import annotations

import numpy as np
import xarray as xr

_YEAR = 366


def day_of_year_climatology(observed: xr.DataArray, times: xr.DataArray, *, window: int = 31) -> xr.DataArray:
    """Return the mean of `observed` on the same day of the year, smoothed over `window` days.

    Every day of the year within window // 2 days counts, around the turn of the year too. Use
    observations of the training period only; `times` are those of the answer. Smoothing makes it a
    stronger baseline where there are few years.

    >>> times = xr.date_range("2001-01-01", periods=730, freq="1D")
    >>> days = xr.DataArray(np.tile(np.arange(365.0), 2), coords={"time": times}, dims="time")
    >>> float(day_of_year_climatology(days, days.time[:40], window=1)[39])
    39.0
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"climatology: window {window} is not an odd number of days")
    values = observed.transpose("time", ...)
    day = values["time"].dt.dayofyear.values - 1
    table = np.full((_YEAR, *values.shape[1:]), np.nan)
    for which in range(_YEAR):
        distance = np.abs(day - which)
        near = np.minimum(distance, _YEAR - distance) <= window // 2
        chosen = values.values[near]
        count = (~np.isnan(chosen)).sum(axis=0)
        total = np.where(np.isnan(chosen), 0.0, chosen).sum(axis=0)
        table[which] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    answer = table[times.dt.dayofyear.values - 1]
    rest = {name: c for name, c in values.coords.items() if "time" not in c.dims}
    return xr.DataArray(answer, dims=values.dims, coords={"time": times.values, **rest}, attrs=dict(observed.attrs))
