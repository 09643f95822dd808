"""Grids: the protocol, points and rectilinear grids."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from crest_fields.errors import GridError

Coordinates: TypeAlias = Mapping[str, tuple[tuple[str, ...], np.ndarray]]  # by name, each with its dims


class Grid(Protocol):
    """Named places on the globe along one or more horizontal dims."""

    name: str  # inside its graph
    dims: tuple[str, ...]  # the horizontal dims, as ("cell",) or ("y", "x")
    sizes: Mapping[str, int]  # number of places along each dim
    coordinates: Coordinates  # lat and lon [degrees], names of points


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


def _degrees(values: ArrayLike, grid: str, what: str, low: float, high: float) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not ((array >= low) & (array <= high)).all():
        raise GridError(f"grid {grid}: {what} must be a list of degrees from {low:g} to {high:g}, got {array}")
    return np.where(array >= 180.0, np.round(array - 360.0, 9), array)  # no latitude is as large
