"""Mixtures as a head of a network predicts them: distribution function, PIT and CRPS in closed form.

Each part has a location, a scale and a weight; with asymmetries t in (0, 1) the parts are asymmetric Laplacians (CMAL),
f(x) = t (1 - t) / s exp(-(x - m) / s (t - [x < m])), without them normal. Arrays are (time, mixture, *places) beside
observations (time, *places), as the outputs `<name>_location`, `_scale`, `_weight`, `_asymmetry` of a head.
Klotz et al. (2022), doi:10.5194/hess-26-1673-2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crest_training.pairs import Floats, average

_ROOT_PI = 1.0 / np.sqrt(np.pi)


def mixture_cdf(
    observed: ArrayLike, location: ArrayLike, scale: ArrayLike, weight: ArrayLike, asymmetry: ArrayLike | None = None
) -> Floats:
    """Return F(o) of the mixture, nan where nothing was observed: the probability integral transform (PIT).

    Uniform in [0, 1] where the distributions are reliable. Gneiting et al. (2007),
    doi:10.1111/j.1467-9868.2007.00587.x.

    >>> float(mixture_cdf([0.0], [[0.0]], [[1.0]], [[1.0]])[0])
    0.5
    """
    from scipy.special import ndtr  # only here: slow to import

    o, m, s, w, t = _parts(observed, location, scale, weight, asymmetry)
    if t is None:
        return (w * ndtr((o - m) / s)).sum(axis=1)
    below = t * np.exp(np.minimum((1 - t) * (o - m) / s, 0.0))
    above = 1.0 - (1 - t) * np.exp(np.minimum(-t * (o - m) / s, 0.0))
    return (w * np.where(o < m, below, above)).sum(axis=1)


def crps_mixture(
    observed: ArrayLike, location: ArrayLike, scale: ArrayLike, weight: ArrayLike, asymmetry: ArrayLike | None = None
) -> Floats:
    """Return the mean over time of the CRPS of mixtures, sum_i w_i E|X_i - o| - sum_ij w_i w_j E|X_i - X_j| / 2.

    In the units of the field, 0 is perfect; over the times that have an observation. Normal parts: Grimit et al.
    (2006), doi:10.1256/qj.05.235. Asymmetric Laplacians: E|X_i - X_j| = mean_i - mean_j + 2 integral
    F_i (1 - F_j) dx, of exponentials, piece by piece.

    >>> float(crps_mixture([0.0], [[0.0]], [[1.0]], [[1.0]])).__round__(4)  # (sqrt(2) - 1) / sqrt(pi)
    0.2337
    """
    o, m, s, w, t = _parts(observed, location, scale, weight, asymmetry)
    count = m.shape[1]
    apart: Floats = (w * (_normal(o - m, s) if t is None else _to_point(o, m, s, t))).sum(axis=1)
    for i in range(count):
        for j in range(count):
            if t is None:
                between = _normal(m[:, i] - m[:, j], np.hypot(s[:, i], s[:, j]))
            else:
                between = _between(*(part[:, n] for n in (i, j) for part in (m, s, t)))
            apart = apart - 0.5 * w[:, i] * w[:, j] * between
    return average(apart, o[:, 0])


def pit_reliability(pit: ArrayLike) -> Floats:
    """Return 1 - 2 mean |p_(i) - i / (n + 1)| of sorted PIT values (time, *places): 1 is reliable, 0 the worst.

    The area between their quantile-quantile plot and the diagonal; nan values are left out. Renard et al. (2010),
    index alpha, doi:10.1029/2009WR008328.

    >>> float(pit_reliability([0.25, 0.5, 0.75])), float(pit_reliability([1.0, 1.0, 1.0])).__round__(6)
    (1.0, 0.0)
    """
    p = np.sort(np.asarray(pit, dtype=np.float64), axis=0)
    count = (~np.isnan(p)).sum(axis=0)
    rank = np.arange(1, len(p) + 1).reshape(-1, *[1] * (p.ndim - 1))
    return 1.0 - 2.0 * average(np.abs(p - rank / (count + 1)), p)


def _parts(
    observed: ArrayLike, location: ArrayLike, scale: ArrayLike, weight: ArrayLike, asymmetry: ArrayLike | None
) -> tuple[Floats, Floats, Floats, Floats, Floats | None]:
    o, m, s, w = (np.asarray(one, dtype=np.float64) for one in (observed, location, scale, weight))
    t = None if asymmetry is None else np.asarray(asymmetry, dtype=np.float64)
    shapes = {one.shape for one in (m, s, w, t) if one is not None}
    if len(shapes) > 1 or m.ndim < 2 or m.shape[:1] + m.shape[2:] != o.shape:
        raise ValueError(
            f"metric: observed has shape {o.shape} and the parts of the mixture {sorted(shapes)}; expected "
            f"(time, places) beside (time, mixture, places); transpose the parts"
        )
    return o[:, np.newaxis], m, s, w, t


def _normal(distance: Floats, deviation: Floats) -> Floats:
    """Return E|X| of a normal X with this mean and standard deviation."""
    from scipy.special import ndtr

    z = distance / deviation
    density = np.exp(-0.5 * z**2) * _ROOT_PI / np.sqrt(2.0)
    return distance * (2.0 * ndtr(z) - 1.0) + 2.0 * deviation * density


def _mean(m: Floats, s: Floats, t: Floats) -> Floats:
    return m + s * (1 - 2 * t) / (t * (1 - t))


def _to_point(o: Floats, m: Floats, s: Floats, t: Floats) -> Floats:
    """Return E|X - o| of asymmetric Laplacians."""
    left, right = (1 - t) / s, t / s
    above = o - _mean(m, s, t) + 2 * (1 - t) / right * np.exp(-right * np.maximum(o - m, 0.0))
    below = _mean(m, s, t) - o + 2 * t / left * np.exp(-left * np.maximum(m - o, 0.0))
    return np.where(o >= m, above, below)


def _between(m1: Floats, s1: Floats, t1: Floats, m2: Floats, s2: Floats, t2: Floats) -> Floats:
    """Return E|X - Y| of two independent asymmetric Laplacians."""
    first: NDArray[np.bool_] = m1 >= m2  # X is the one further to the right
    mx, my = np.where(first, m1, m2), np.where(first, m2, m1)
    sx, sy = np.where(first, s1, s2), np.where(first, s2, s1)
    tx, ty = np.where(first, t1, t2), np.where(first, t2, t1)
    d, left_x, left_y, right_x, right_y = mx - my, (1 - tx) / sx, (1 - ty) / sy, tx / sx, ty / sy
    # integral of F_x (1 - F_y): below my, between my and mx, above mx
    under = tx * np.exp(-left_x * d) * (1 / left_x - ty / (left_x + left_y))
    slow, apart = np.minimum(left_x, right_y), np.abs(left_x - right_y)
    ratio = np.where(apart * d > 1e-8, -np.expm1(-apart * d) / np.maximum(apart, 1e-300), d)
    middle = tx * (1 - ty) * np.exp(-slow * d) * ratio
    over = (1 - ty) * np.exp(-right_y * d) * (1 / right_y - (1 - tx) / (right_x + right_y))
    return _mean(mx, sx, tx) - _mean(my, sy, ty) + 2 * (under + middle + over)
