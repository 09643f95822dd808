"""Biases of the flow duration curve: high flows, the slope in the middle, low flows; in percent.

Positions in the curve are rounded as NeuralHydrology rounds them, and values of 0 and below become 1e-6 before a
logarithm is taken, so that figures can be compared with those of its users. They depend on the units then: give
mm day-1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crest_training.pairs import Floats, paired

SMALLEST = 1e-6  # before a logarithm; of a discharge in mm day-1


def fhv(simulated: ArrayLike, observed: ArrayLike, *, highest: float = 0.02) -> Floats:
    """Return the bias of high flows [%], 100 sum (s - o) / sum o over the highest 2 % of each curve.

    Yilmaz et al. (2008), eq. A3, doi:10.1029/2007WR006716.

    >>> float(fhv(np.arange(100.0) * 1.1, np.arange(100.0))).__round__(6)
    10.0
    """
    s, o, count = _curves(simulated, observed)
    part = np.arange(len(o)).reshape(-1, *[1] * (o.ndim - 1)) < np.round(highest * count)
    above = np.where(part, s - o, 0.0).sum(axis=0)
    below = np.where(part, o, 0.0).sum(axis=0)
    return _percent(above, below, s, o)


def fms(simulated: ArrayLike, observed: ArrayLike, *, upper: float = 0.2, lower: float = 0.7) -> Floats:
    """Return the bias of the slope in the middle of the curve [%], 100 (slope s - slope o) / slope o.

    The slope is log q(20 %) - log q(70 %), with the share of time that a flow is exceeded. nan where the observed
    slope is 0. Yilmaz et al. (2008), eq. A2, doi:10.1029/2007WR006716.

    >>> float(fms(np.arange(1.0, 101.0) ** 2, np.arange(1.0, 101.0))).__round__(6)
    100.0
    """
    s, o, count = _curves(simulated, observed)
    slopes = []
    for curve in (s, o):
        ends = []
        for share in (upper, lower):
            place = np.clip(np.round(share * count), 0, np.maximum(count - 1, 0)).astype(np.int64)
            ends.append(np.log(np.maximum(np.take_along_axis(curve, place[np.newaxis], axis=0)[0], SMALLEST)))
        slopes.append(ends[0] - ends[1])
    return _percent(slopes[0] - slopes[1], slopes[1], s, o)


def flv(simulated: ArrayLike, observed: ArrayLike, *, lowest: float = 0.3) -> Floats:
    """Return the bias of low flows [%], -100 (a(s) - a(o)) / a(o).

    a(q) is the sum of log q - log min q over the lowest 30 % of each curve. Negative where the low end of the
    simulated curve is too steep. Yilmaz et al. (2008), eq. A4, doi:10.1029/2007WR006716.

    >>> float(flv(np.arange(1.0, 101.0) ** 2, np.arange(1.0, 101.0))).__round__(6)
    -100.0
    """
    s, o, count = _curves(simulated, observed)
    rank = np.arange(len(o)).reshape(-1, *[1] * (o.ndim - 1))
    part = (rank < count) & (rank >= count - np.round(lowest * count))
    areas = []
    for curve in (s, o):
        logarithms = np.log(np.maximum(curve, SMALLEST))
        low = np.where(part, logarithms, np.inf).min(axis=0, initial=np.inf)
        areas.append(np.where(part, logarithms - low, 0.0).sum(axis=0))
    return -_percent(areas[0] - areas[1], areas[1], s, o)


def _curves(simulated: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return both curves from high to low, what is not observed at their end, and how many are."""
    s, o = paired(simulated, observed)
    valid = ~np.isnan(o)
    # nan sorts to the end; a simulated nan beside an observation does too, and is found there by _percent
    return (
        -np.sort(np.where(valid, -s, np.nan), axis=0),
        -np.sort(np.where(valid, -o, np.nan), axis=0),
        valid.sum(axis=0).astype(np.float64),
    )


def _percent(above: Floats, below: Floats, s: Floats, o: Floats) -> Floats:
    """Return 100 above / below, nan where nothing was observed or the model did not answer, or below is 0."""
    complete = (np.isnan(s).sum(axis=0) == np.isnan(o).sum(axis=0)) & (below != 0)
    return np.where(complete, 100.0 * above / np.where(below != 0, below, 1.0), np.nan)
