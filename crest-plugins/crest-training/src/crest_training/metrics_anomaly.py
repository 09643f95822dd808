"""Correlation of anomalies: skill that is left when the usual year is taken away."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from crest_training.climatology import day_of_year_climatology
from crest_training.metrics_kge import pearson_r
from crest_training.pairs import Floats, paired


def anomaly_correlation(simulated: ArrayLike, observed: ArrayLike, *, times: xr.DataArray, window: int = 31) -> Floats:
    """Return the correlation of s - climatology of s with o - climatology of o.

    The climatologies are means by the day of the year over `window` days, of each series itself at the times that
    have an observation. `times` are those of the first axis. With few years the mean of a day holds much of the day
    itself: give 3 years or more. Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1; Kumar et al. (2012),
    doi:10.5194/gmd-5-869-2012.

    >>> times = xr.date_range("2001-01-01", periods=730)
    >>> season = np.sin(np.arange(730) / 58.0)
    >>> noise = np.random.default_rng(1).normal(size=730)
    >>> times = xr.DataArray(times, dims="time")
    >>> float(anomaly_correlation(noise + season, noise - season, times=times)) > 0.9
    True
    """
    s, o = paired(simulated, observed)
    blank = np.isnan(o)
    return pearson_r(_anomaly(np.where(blank, np.nan, s), times, window), _anomaly(o, times, window))


def _anomaly(values: Floats, times: xr.DataArray, window: int) -> Floats:
    dims = ("time", *(f"place_{n}" for n in range(values.ndim - 1)))
    series = xr.DataArray(values, dims=dims, coords={"time": times.values})
    return values - day_of_year_climatology(series, series["time"], window=window).values
