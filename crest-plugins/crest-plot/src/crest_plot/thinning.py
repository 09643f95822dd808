"""Fewer points for a browser, with every peak kept."""

from __future__ import annotations

import numpy as np

MOST_POINTS = 30_000


def thinned(
    x: np.ndarray, y: np.ndarray, when: np.ndarray, most: int = MOST_POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lowest and the highest value of each group of points, in their order; gaps stay gaps.

    >>> day = np.arange(8)
    >>> thinned(day, np.array([0.0, 9.0, 1.0, 2.0, 3.0, 2.0, -5.0, 1.0]), day, most=4)[1].tolist()
    [0.0, 9.0, 3.0, -5.0]
    """
    if len(y) <= most:
        return x, y, when
    size = -(-len(y) // (most // 2))
    whole = len(y) // size * size
    groups = y[:whole].reshape(-1, size)
    first = np.arange(0, whole, size)
    low = first + np.where(np.isnan(groups), np.inf, groups).argmin(axis=1)
    high = first + np.where(np.isnan(groups), -np.inf, groups).argmax(axis=1)
    kept = np.concatenate([low, high, np.arange(whole, len(y))])
    gaps = first[np.isnan(groups).any(axis=1)] + np.isnan(groups).argmax(axis=1)[np.isnan(groups).any(axis=1)]
    kept = np.unique(np.concatenate([kept, gaps]))
    return x[kept], y[kept], when[kept]
