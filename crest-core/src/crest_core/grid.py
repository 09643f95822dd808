"""Grids and what maps fields between them: protocols, points and rectilinear grids.

Regridding methods are plugins; the core only checks that two grids are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from crest_core.errors import GridError

TOLERANCE = 1e-6  # degrees, about 0.1 m


class Grid(Protocol):
    """Named places on the globe along one or more horizontal dims."""

    @property
    def name(self) -> str:
        """Name of the grid inside its graph."""
        ...

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the horizontal dims, as ("cell",) or ("y", "x")."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Number of places along each dim."""
        ...

    @property
    def coordinates(self) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Coordinates by name, each with its dims: lat and lon [degrees], names of points."""
        ...


class Regridder(Protocol):
    """A linear, differentiable map of fields from one grid to another."""

    @property
    def source(self) -> Grid:
        """The grid that values come from."""
        ...

    @property
    def target(self) -> Grid:
        """The grid that values go to."""
        ...

    def __call__(self, values: Tensor) -> Tensor:
        """Return (..., *target dims) of values (..., *source dims)."""
        ...

    def describe(self) -> str:
        """Return a few words for the plan: "conservative, era5 to basins"."""
        ...


class PointGrid:
    """Points (towers, basins, columns) along the dim "cell".

    >>> PointGrid([50.50, 50.52], [8.53, 351.45], names=["forest", "meadow"]).lon.tolist()
    [8.53, -8.55]
    """

    dims: tuple[str, ...] = ("cell",)

    def __init__(
        self,
        lat: ArrayLike,
        lon: ArrayLike,
        names: Sequence[str] | None = None,
        *,
        name: str = "points",
    ) -> None:
        self.name = name
        self.lat = _latitudes(lat, name)
        self.lon = _longitudes(lon, name)
        if self.lat.shape != self.lon.shape:
            raise GridError(
                f"grid {name}: {self.lat.size} latitudes and {self.lon.size} longitudes; a point needs both"
            )
        self.names = tuple(map(str, range(self.lat.size) if names is None else names))
        if len(self.names) != self.lat.size or len(set(self.names)) != len(self.names):
            raise GridError(f"grid {name}: expected {self.lat.size} distinct names, got {list(self.names)}")

    @property
    def sizes(self) -> Mapping[str, int]:
        """Number of points."""
        return {"cell": self.lat.size}

    @property
    def coordinates(self) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Places lat and lon, and cell, the names of the points."""
        names = np.array(self.names, dtype=str)
        return {
            "cell": (self.dims, names),
            "lat": (self.dims, self.lat),
            "lon": (self.dims, self.lon),
        }

    def __repr__(self) -> str:
        return f"<PointGrid {self.name} of {self.lat.size} points>"


class RectilinearGrid:
    """A grid (y, x) of latitudes and longitudes, each along its own dim.

    >>> RectilinearGrid([10.0, 0.0], [0.0, 90.0, 180.0, 270.0]).lon.tolist()
    [0.0, 90.0, -180.0, -90.0]
    """

    dims: tuple[str, ...] = ("y", "x")

    def __init__(self, lat: ArrayLike, lon: ArrayLike, *, name: str = "rectilinear") -> None:
        self.name = name
        self.lat = _latitudes(lat, name)
        self.lon = _longitudes(lon, name)
        steps = np.diff(self.lat)
        if not ((steps > 0).all() or (steps < 0).all()):
            raise GridError(f"grid {name}: lat {_shown(self.lat)} neither rises nor falls; sort it")
        turns = np.diff(self.lon) % 360.0
        if self.lon.size > 1 and not ((turns > 0).all() and turns.sum() < 360.0):
            raise GridError(
                f"grid {name}: lon {_shown(self.lon)} does not rise eastward once around; sort it and drop doubles"
            )

    @property
    def sizes(self) -> Mapping[str, int]:
        """Number of latitudes (y) and longitudes (x)."""
        return {"y": self.lat.size, "x": self.lon.size}

    @property
    def coordinates(self) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Latitudes lat along y and longitudes lon along x."""
        return {"lat": (("y",), self.lat), "lon": (("x",), self.lon)}

    def __repr__(self) -> str:
        return f"<RectilinearGrid {self.name} of {self.lat.size} x {self.lon.size}>"


def check_same_grid(first: Grid, second: Grid) -> None:
    """Raise GridError, naming the first place that differs, if two grids are not the same.

    Latitudes and longitudes may differ by 1e-6 degrees, longitudes also by whole turns.
    """
    ends = f"grids {first.name} and {second.name}"
    if first.dims != second.dims or dict(first.sizes) != dict(second.sizes):
        raise GridError(
            f"{ends} differ: {dict(first.sizes)} and {dict(second.sizes)}; add a regridder to the Connection"
        )
    for key in ("lat", "lon"):
        ours, theirs = first.coordinates[key][1], second.coordinates[key][1]
        apart = np.abs((ours - theirs + 180.0) % 360.0 - 180.0)
        if (apart > TOLERANCE).any():
            place = tuple(int(index) for index in np.argwhere(apart > TOLERANCE)[0])
            raise GridError(
                f"{ends} differ in {key} at index {', '.join(str(index) for index in place)}: "
                f"{ours[place]:.9g} and {theirs[place]:.9g}; add a regridder to the Connection or "
                f"correct the coordinates"
            )


def _latitudes(values: ArrayLike, grid: str) -> np.ndarray:
    lat = _degrees(values, grid, "lat")
    if (np.abs(lat) > 90.0 + TOLERANCE).any():
        raise GridError(f"grid {grid}: lat {_shown(lat)} leaves -90 to 90 degrees")
    return lat


def _longitudes(values: ArrayLike, grid: str) -> np.ndarray:
    lon = _degrees(values, grid, "lon")
    if ((lon < -180.0) | (lon > 360.0)).any():
        raise GridError(f"grid {grid}: lon {_shown(lon)} leaves -180 to 360 degrees")
    return np.where(lon >= 180.0, np.round(lon - 360.0, 9), lon)


def _degrees(values: ArrayLike, grid: str, what: str) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise GridError(f"grid {grid}: {what} must be a list of one or more finite degrees, got {_shown(array)}")
    return array


def _shown(array: np.ndarray) -> str:
    return np.array2string(array, threshold=8, precision=6)
