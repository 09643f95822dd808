"""Pairs of simulated and observed values, and their moments over the times that have an observation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def paired(simulated: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as float64 arrays of one shape, time along the first axis."""
    s, o = np.asarray(simulated, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if s.shape != o.shape or s.ndim == 0:
        raise ValueError(
            f"metric: simulated has shape {s.shape} and observed {o.shape}; expected the same shape, "
            f"time along the first axis; select the common times first"
        )
    return s, o


def total(values: Floats, observed: Floats) -> Floats:
    """Return the sum over the times that have an observation; nan where there is none."""
    valid = ~np.isnan(observed)
    found = np.where(valid, values, 0.0).sum(axis=0)
    return np.where(valid.any(axis=0), found, np.nan)


def average(values: Floats, observed: Floats) -> Floats:
    """Return the mean over the times that have an observation; nan where there is none."""
    count = (~np.isnan(observed)).sum(axis=0)
    return total(values, observed) / np.maximum(count, 1)


def spread(values: Floats, observed: Floats) -> Floats:
    """Return the standard deviation (divided by n) over the times that have an observation; exactly 0 of a constant.

    >>> spread(np.array([0.1, 0.1, 0.1]), np.zeros(3)).item()
    0.0
    """
    valid = ~np.isnan(observed)
    highest = np.where(valid, values, -np.inf).max(axis=0, initial=-np.inf)
    lowest = np.where(valid, values, np.inf).min(axis=0, initial=np.inf)
    found = np.sqrt(average((values - average(values, observed)) ** 2, observed))
    return np.where(highest == lowest, 0.0, found)
