"""Grids and what maps fields between them: protocols, points and rectilinear grids; regridders are plugins."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from crest_core.errors import GridError

TOLERANCE = 1e-6  # degrees, about 0.1 m
Coordinates: TypeAlias = Mapping[str, tuple[tuple[str, ...], np.ndarray]]  # by name, each with its dims


class Grid(Protocol):
    """Named places on the globe along one or more horizontal dims."""

    name: str  # inside its graph
    dims: tuple[str, ...]  # the horizontal dims, as ("cell",) or ("y", "x")
    sizes: Mapping[str, int]  # number of places along each dim
    coordinates: Coordinates  # lat and lon [degrees], names of points


class Regridder(Protocol):
    """A linear, differentiable map of fields from one grid to another."""

    source: Grid
    target: Grid

    def __call__(self, values: Tensor) -> Tensor:
        """Return (..., *target dims) of values (..., *source dims)."""

    def describe(self) -> str:
        """Return a few words for the plan: "conservative, era5 to basins"."""


class PointGrid:
    """Points (towers, basins, columns) along the dim "cell".

    >>> PointGrid([50.50, 50.52], [8.53, 351.45], names=["forest", "meadow"]).lon.tolist()
    [8.53, -8.55]
    """

    dims: tuple[str, ...] = ("cell",)

    def __init__(
        self, lat: ArrayLike, lon: ArrayLike, names: Sequence[str] | None = None, *, name: str = "points"
    ) -> None:
        self.name = name
        self.lat, self.lon = _degrees(lat, name, "lat", -90.0, 90.0), _degrees(lon, name, "lon", -180.0, 360.0)
        count = self.lat.size
        if count != self.lon.size:
            raise GridError(f"grid {name}: {count} latitudes and {self.lon.size} longitudes; a point needs both")
        self.names = tuple(map(str, range(count) if names is None else names))
        if len(self.names) != count or len(set(self.names)) != count:
            raise GridError(f"grid {name}: expected {count} distinct names, got {list(self.names)}")
        self.sizes: Mapping[str, int] = {"cell": count}
        places = {"cell": np.array(self.names, dtype=str), "lat": self.lat, "lon": self.lon}
        self.coordinates: Coordinates = {key: (self.dims, values) for key, values in places.items()}


class RectilinearGrid:
    """A grid (y, x) of latitudes and longitudes, each along its own dim.

    >>> RectilinearGrid([10.0, 0.0], [0.0, 90.0, 180.0, 270.0]).lon.tolist()
    [0.0, 90.0, -180.0, -90.0]
    """

    dims: tuple[str, ...] = ("y", "x")

    def __init__(self, lat: ArrayLike, lon: ArrayLike, *, name: str = "rectilinear") -> None:
        self.name = name
        self.lat, self.lon = _degrees(lat, name, "lat", -90.0, 90.0), _degrees(lon, name, "lon", -180.0, 360.0)
        steps = np.diff(self.lat)
        if not ((steps > 0).all() or (steps < 0).all()):
            raise GridError(f"grid {name}: lat {self.lat} neither rises nor falls; sort it")
        turns = np.diff(self.lon) % 360.0
        if not (turns > 0).all() or turns.sum() >= 360.0:
            raise GridError(f"grid {name}: lon {self.lon} does not rise eastward once around; sort it and drop doubles")
        self.sizes: Mapping[str, int] = {"y": self.lat.size, "x": self.lon.size}
        self.coordinates: Coordinates = {"lat": (("y",), self.lat), "lon": (("x",), self.lon)}


def check_same_grid(first: Grid, second: Grid) -> None:
    """Raise GridError, naming the first place that differs by more than 1e-6 degrees; whole turns do not count."""
    ends = f"grids {first.name} and {second.name}"
    if first.dims != second.dims or first.sizes != second.sizes:
        raise GridError(f"{ends} differ: {first.sizes} and {second.sizes}; add a regridder to the Connection")
    for key in ("lat", "lon"):
        ours, theirs = first.coordinates[key][1], second.coordinates[key][1]
        for index in np.argwhere(np.abs((ours - theirs + 180.0) % 360.0 - 180.0) > TOLERANCE):
            place = tuple(index.tolist())
            raise GridError(
                f"{ends} differ in {key} at index {', '.join(map(str, place))}: {ours[place]:.9g} and "
                f"{theirs[place]:.9g}; add a regridder to the Connection or correct the coordinates"
            )


def _degrees(values: ArrayLike, grid: str, what: str, low: float, high: float) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not ((array >= low) & (array <= high)).all():
        raise GridError(f"grid {grid}: {what} must be a list of degrees from {low:g} to {high:g}, got {array}")
    return np.where(array >= 180.0, np.round(array - 360.0, 9), array)  # no latitude is as large
