"""EASE-Grid 2.0, global cylindrical: latitudes of rows and longitudes of columns, by formula and as files tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crest_data.errors import DataError

# Brodzik et al. (2012), doi:10.3390/ijgi1010032, and its correction (2014), doi:10.3390/ijgi3031154.
RADIUS = 6378137.0  # m, WGS 84
ECCENTRICITY = 0.0818191908426  # WGS 84
PARALLEL = 30.0  # degrees, where scale is true
CELL = {(406, 964): 36032.220840584, (1624, 3856): 9008.055210146}  # m, size of a cell by rows and columns
_NEAR = 2e-3  # degrees; files hold float32


def ease_axes(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes of the rows, north to south, and longitudes of the columns of the 36 or 9 km grid [degrees].

    Lambert's equal area cylinder: x = a k0 lambda, y = a q(phi) / (2 k0); Snyder (1987), equations 10-13 to 10-18.

    >>> latitude, longitude = ease_axes(406, 964)
    >>> round(float(latitude[0]), 5), round(float(longitude[0]), 5)
    (83.63198, -179.81328)
    """
    size = CELL[rows, columns]
    sine = np.sin(np.radians(PARALLEL))
    scale = np.cos(np.radians(PARALLEL)) / np.sqrt(1.0 - (ECCENTRICITY * sine) ** 2)
    x = (np.arange(columns) - (columns - 1) / 2.0) * size
    y = ((rows - 1) / 2.0 - np.arange(rows)) * size
    longitude = np.degrees(x / (RADIUS * scale))
    return _latitude(2.0 * y * scale / RADIUS), longitude


def file_axes(latitude: np.ndarray, longitude: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes of rows and longitudes of columns of a file whose arrays of both have nan where nothing is told.

    A global grid has its own formula, which the file must agree with; of another, each row and column must be told.
    """
    if latitude.shape != longitude.shape or latitude.ndim != 2:
        raise DataError(f"{path}: latitude {latitude.shape} and longitude {longitude.shape} are not one grid")
    if latitude.shape in CELL:
        axes = ease_axes(*latitude.shape)
    else:
        axes = (_told(latitude, 1, "latitude", path), _told(longitude, 0, "longitude", path))
    for name, told, axis in (("latitude", latitude, axes[0][:, None]), ("longitude", longitude, axes[1][None, :])):
        off = np.abs(told - axis)
        if (far := off > _NEAR).any():
            row, column = (int(index[0]) for index in np.nonzero(far))
            there = float(np.broadcast_to(axis, told.shape)[row, column])
            raise DataError(
                f"{path}: {name} {told[row, column]:g} at row {row}, column {column}; EASE-Grid 2.0 has {there:g} there"
            )
    return axes


def _told(values: np.ndarray, across: int, name: str, path: Path) -> np.ndarray:
    """Return the value of each line of a grid that tells at least one of it."""
    known = np.isfinite(values)
    if not (some := known.any(axis=across)).all():
        at = int(np.flatnonzero(~some)[0])
        raise DataError(
            f"{path}: a grid of {values.shape[0]} x {values.shape[1]} is no global EASE-Grid 2.0 of 36 or 9 km, and "
            f"its {'row' if across else 'column'} {at} tells no {name}"
        )
    first = known.argmax(axis=across)
    return np.take_along_axis(values, np.expand_dims(first, across), across).squeeze(across).astype(np.float64)


def _latitude(q: np.ndarray) -> np.ndarray:
    """Return the latitude [degrees] at which the authalic q is as given, by Newton's method."""
    phi = np.arcsin(np.clip(q / 2.0, -1.0, 1.0))
    for _ in range(50):
        inside = 1.0 - (ECCENTRICITY * np.sin(phi)) ** 2
        step = inside**2 / (2.0 * np.cos(phi)) * (q - _q(phi)) / (1.0 - ECCENTRICITY**2)
        phi = phi + step
        if np.abs(step).max() < 1e-13:
            break
    return np.degrees(phi)


def _q(phi: np.ndarray) -> np.ndarray:
    """Return q(phi) = (1 - e2) (sin / (1 - e2 sin2) - ln((1 - e sin) / (1 + e sin)) / 2e); Snyder (1987), 3-12."""
    sine, e = np.sin(phi), ECCENTRICITY
    return (1.0 - e**2) * (sine / (1.0 - (e * sine) ** 2) - np.log((1.0 - e * sine) / (1.0 + e * sine)) / (2.0 * e))
