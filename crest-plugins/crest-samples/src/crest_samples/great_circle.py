"""Distances on the sphere, and neighbours within a distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

EARTH_RADIUS = 6.371009e6  # m, mean radius; Moritz (2000), doi:10.1007/s001900050278

Floats = NDArray[np.float64]


def distance(lat: ArrayLike, lon: ArrayLike, other_lat: ArrayLike, other_lon: ArrayLike) -> Floats:
    """Return the great-circle distance [m] between points in degrees.

    >>> round(float(distance(0.0, 0.0, 0.0, 1.0)))
    111195
    """
    a, b = unit_vectors(lat, lon), unit_vectors(other_lat, other_lon)
    return arc(np.linalg.norm(a - b, axis=-1))


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> Floats:
    """Return the points on the unit sphere, (..., 3)."""
    phi, lam = np.radians(np.asarray(lat, dtype=np.float64)), np.radians(np.asarray(lon, dtype=np.float64))
    parts = np.broadcast_arrays(np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi))
    return np.stack(parts, axis=-1)


def arc(chord: ArrayLike) -> Floats:
    """Return the length [m] of the great circle above a chord of the unit sphere."""
    return 2.0 * EARTH_RADIUS * np.arcsin(np.clip(np.asarray(chord) / 2.0, 0.0, 1.0))


def chord(length: float) -> float:
    """Return the chord of the unit sphere below a great circle of `length` [m]."""
    return float(2.0 * np.sin(min(length / (2.0 * EARTH_RADIUS), np.pi / 2.0)))


def nearest(lat: Floats, lon: Floats, to_lat: Floats, to_lon: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return, for each point, the number of the nearest of the others, and the distance to it [m]."""
    chords, found = cKDTree(unit_vectors(to_lat, to_lon)).query(unit_vectors(lat, lon))
    return found.astype(np.int64), arc(chords)


def within(lat: Floats, lon: Floats, of_lat: Floats, of_lon: Floats, radius: float) -> list[list[int]]:
    """Return, for each point, the numbers of the others that are at most `radius` [m] away, ascending."""
    tree = cKDTree(unit_vectors(of_lat, of_lon))
    found = tree.query_ball_point(unit_vectors(lat, lon), chord(radius), return_sorted=True)
    return [list(map(int, one)) for one in found]
