"""Ensembles against observations: continuous ranked probability score and rank histogram, by the library scores.

Members are (time, member, *places), observations (time, *places). Times without observation are left out; a member
that is nan beside an observation makes the answer nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from crest_training.pairs import Floats


def crps(members: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the mean over time of CRPS = mean_i |x_i - o| - sum_ij |x_i - x_j| / (2 n^2), in the units of the field.

    That of the step function through n members: of one member it is the absolute error. 0 is perfect. Hersbach (2000),
    doi:10.1175/1520-0434(2000)015<0559:DOTCRP>2.0.CO;2; `scores.probability.crps_for_ensemble`.

    >>> float(crps([[0.0, 2.0]], [1.0]))
    0.5
    """
    from scores.probability import crps_for_ensemble  # type: ignore[import-untyped]  # only here: a second to import

    x, o, answered = _named(members, observed)
    found = crps_for_ensemble(x, o, "member", reduce_dims=["time"])
    return np.where(answered, _values(found, o), np.nan)


def rank_histogram(members: ArrayLike, observed: ArrayLike) -> Floats:
    """Return how often the observation had each rank among n members, (n + 1, *places), of sum 1.

    Flat where the ensemble is reliable, a U where it is too narrow, a slope where it is biased; ties are shared among
    their ranks. Talagrand et al. (1997); Hamill (2001), doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2;
    `scores.probability.rank_histogram`.

    >>> rank_histogram([[0.0, 2.0], [0.0, 2.0]], [1.0, 3.0]).tolist()
    [0.0, 0.5, 0.5]
    """
    from scores.probability import rank_histogram as ranks

    x, o, answered = _named(members, observed)
    places = [dim for dim in o.dims if dim != "time"]
    found = ranks(x, o, "member", preserve_dims=places) if places else ranks(x, o, "member")
    return np.where(answered, found.transpose("rank", ...).values, np.nan)


def rank_deviation(members: ArrayLike, observed: ArrayLike) -> Floats:
    """Return sum_k |f_k - 1 / (n + 1)| over the bars f of the rank histogram; 0 is reliable, at most 2 n / (n + 1).

    Few observations alone make it larger than 0. Delle Monache et al. (2006), doi:10.1029/2005JD006917.

    >>> float(rank_deviation([[0.0], [2.0]], [1.0, 1.0]))
    0.0
    """
    bars = rank_histogram(members, observed)
    return np.abs(bars - 1.0 / len(bars)).sum(axis=0)


def _named(members: ArrayLike, observed: ArrayLike) -> tuple[xr.DataArray, xr.DataArray, Any]:
    """Return both with named dims, and which places were answered whenever there was an observation."""
    x, o = np.asarray(members, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if x.ndim < 2 or x.shape[:1] + x.shape[2:] != o.shape or x.shape[1] == 0:
        raise ValueError(
            f"metric: members have shape {x.shape} and observed {o.shape}; expected (time, member, places) beside "
            f"(time, places); transpose the members or select the common times first"
        )
    blank = np.isnan(o)
    missing = np.asarray(np.isnan(x).any(axis=1))
    places = [f"place_{n}" for n in range(o.ndim - 1)]
    known = xr.DataArray(np.where(missing[:, np.newaxis], 0.0, x), dims=["time", "member", *places])
    answered = ~(missing & ~blank).any(axis=0) & ~blank.all(axis=0)
    return known, xr.DataArray(o, dims=["time", *places]), answered


def _values(found: xr.DataArray, observed: xr.DataArray) -> Floats:
    return np.asarray(found.transpose(*[dim for dim in observed.dims if dim != "time"]).values, dtype=np.float64)
