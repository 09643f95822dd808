"""Deterministic metrics of hydrology: metric(simulated, observed), time along the first axis.

Times without observation (nan) are left out. A simulated nan beside an observation makes the answer
nan: a model that fails to answer is not scored on the rest. Without any observation the answer is
nan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def nse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the Nash-Sutcliffe efficiency 1 - sum (s - o)^2 / sum (o - mean o)^2.

    1 is perfect, 0 as good as the mean of the observations. Nash and Sutcliffe (1970),
    doi:10.1016/0022-1694(70)90255-6.

    >>> float(nse([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]))
    0.5
    """
    s, o = _paired(simulated, observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1.0 - _sum((s - o) ** 2, o) / _sum((o - _mean(o, o)) ** 2, o)


def kge(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the Kling-Gupta efficiency 1 - sqrt((r - 1)^2 + (a - 1)^2 + (b - 1)^2).

    r is the correlation, a the ratio of standard deviations, b the ratio of means (simulated to
    observed). 1 is perfect, 1 - sqrt(2) = -0.41 as good as the mean. Gupta et al. (2009),
    doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(kge([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])).__round__(3)
    -0.414
    """
    s, o = _paired(simulated, observed)
    mean_s, mean_o = _mean(s, o), _mean(o, o)
    spread_s, spread_o = _mean((s - mean_s) ** 2, o) ** 0.5, _mean((o - mean_o) ** 2, o) ** 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        r = _mean((s - mean_s) * (o - mean_o), o) / (spread_s * spread_o)
        a, b = spread_s / spread_o, mean_s / mean_o
    return 1.0 - np.sqrt((r - 1.0) ** 2 + (a - 1.0) ** 2 + (b - 1.0) ** 2)


def rmse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the root-mean-square error sqrt(mean (s - o)^2), in the units of the field.

    >>> float(rmse([1.0, 2.0], [1.0, 4.0])).__round__(4)
    1.4142
    """
    s, o = _paired(simulated, observed)
    return np.sqrt(_mean((s - o) ** 2, o))


def ubrmse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the unbiased root-mean-square error sqrt(rmse^2 - bias^2), in the units of the field.

    Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1.

    >>> float(ubrmse([2.0, 3.0], [1.0, 2.0]))
    0.0
    """
    s, o = _paired(simulated, observed)
    error = s - o
    return np.sqrt(_mean((error - _mean(error, o)) ** 2, o))


def bias(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the mean of simulated minus observed, in the units of the field.

    >>> float(bias([2.0, 3.0], [1.0, 2.0]))
    1.0
    """
    s, o = _paired(simulated, observed)
    return _mean(s - o, o)


def _paired(simulated: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats]:
    s, o = np.asarray(simulated, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if s.shape != o.shape or s.ndim == 0:
        raise ValueError(
            f"metric: simulated has shape {s.shape} and observed {o.shape}; expected the "
            "same shape, "
            f"time along the first axis; select the common times first"
        )
    return s, o


def _sum(values: Floats, observed: Floats) -> Floats:
    """Return the sum over the times that have an observation; nan where there is none."""
    valid = ~np.isnan(observed)
    total = np.where(valid, values, 0.0).sum(axis=0)
    return np.where(valid.any(axis=0), total, np.nan)


def _mean(values: Floats, observed: Floats) -> Floats:
    count = (~np.isnan(observed)).sum(axis=0)
    return _sum(values, observed) / np.maximum(count, 1)
