"""Masks: which places, or which values of targets, take part: by region, by value, by class."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import numpy as np
import shapely  # type: ignore[import-untyped]
from numpy.typing import NDArray

from crest_samples.errors import SampleError
from crest_samples.matching import match
from crest_samples.outlines import TURNS, check_outline, contains
from crest_samples.places import Places
from crest_samples.reading import read
from crest_samples.source import Source
from crest_samples.times import TimeAxis, begin_in

Keep = NDArray[np.bool_]


class Mask(Protocol):
    """Says what takes part."""

    def keep(self, places: Places, axis: TimeAxis) -> Keep:
        """Return (place,) for whole places, or (place, time) for values of targets."""

    def identity(self) -> str:
        """Return what tells this mask from any that keeps other places or times, the same in every process."""


@dataclass(frozen=True)
class Box:
    """Places from `south` to `north` and, going east, from `west` to `east` [degrees], edges included.

    West > east crosses the date line; west == east is one meridian; the whole globe is west=-180, east=180. A box of
    history in a store means the same.

    >>> places = Places(np.zeros(2), np.array([179.0, 0.0]), np.array(["a", "b"]))
    >>> Box(-10, 10, 170, -170).keep(places, TimeAxis(np.array([]))).tolist()
    [True, False]
    """

    south: float
    north: float
    west: float
    east: float

    def __post_init__(self) -> None:
        ends = self.west, self.east
        if not (-90.0 <= self.south <= self.north <= 90.0 and all(-180.0 <= one <= 180.0 for one in ends)):
            raise SampleError(
                f"{self}: expected -90 <= south <= north <= 90, and west and east from -180 to 180; the whole globe is "
                f"west=-180, east=180"
            )

    def keep(self, places: Places, axis: TimeAxis) -> Keep:
        """Return which places are inside."""
        end = self.east if self.west <= self.east else self.east + 360.0
        turned = [places.lon + turn for turn in TURNS]
        columns = np.any([(one >= self.west) & (one <= end) for one in turned], axis=0)
        return (places.lat >= self.south) & (places.lat <= self.north) & columns

    def identity(self) -> str:
        """Return the name of the class and the edges."""
        return f"Box({', '.join(repr(float(edge)) for edge in (self.south, self.north, self.west, self.east))})"


@dataclass(frozen=True, eq=False)
class Inside:
    """Places inside an outline of shapely in degrees (lon, lat), its edge included.

    It may cross the date line: with longitudes that go on beyond 180 (170 to 190), or split there.
    """

    outline: shapely.Geometry
    name: str = "outline"

    def __post_init__(self) -> None:
        check_outline(self.outline, str(self))

    def __str__(self) -> str:
        return f"Inside({self.name})"

    def keep(self, places: Places, axis: TimeAxis) -> Keep:
        """Return which places are inside."""
        return contains(self.outline, places.lon, places.lat)

    def identity(self) -> str:
        """Return the name of the class and the outline, point by point."""
        return f"Inside({shapely.to_wkb(self.outline, hex=True)})"


@dataclass(frozen=True, eq=False)
class Between:
    """Where the one variable of a source is from `low` to `high`: places, or times of targets if the variable moves.

    Where the source has no value nothing takes part.
    """

    source: Source
    low: float = -inf
    high: float = inf

    def __str__(self) -> str:
        return f"Between({', '.join(self.source.variables)}, {self.low:g}, {self.high:g})"

    def keep(self, places: Places, axis: TimeAxis) -> Keep:
        """Return (place,), or (place, time) where the variable moves."""
        values = _values(self.source, places, axis, str(self))
        return (values >= self.low) & (values <= self.high)

    def identity(self) -> str:
        """Return the name of the class, the source and the ends."""
        return f"Between({self.source.identity()}, {float(self.low)!r}, {float(self.high)!r})"


@dataclass(frozen=True, eq=False)
class OneOf:
    """Places whose class, the one variable of a source such as land cover, is one of `classes`."""

    source: Source
    classes: Collection[int]

    def __str__(self) -> str:
        return f"OneOf({', '.join(self.source.variables)}, {sorted(self.classes)})"

    def keep(self, places: Places, axis: TimeAxis) -> Keep:
        """Return which places have one of the classes."""
        if self.source.match == "area mean":
            raise SampleError(f"{self}: classes have no mean; match the source by 'nearest', 'containing' or 'id'")
        return np.isin(_values(self.source, places, axis, str(self)), list(self.classes))

    def identity(self) -> str:
        """Return the name of the class, the source and the classes."""
        return f"OneOf({self.source.identity()}, {sorted(map(float, self.classes))})"


def _values(source: Source, places: Places, axis: TimeAxis, who: str) -> NDArray[Any]:
    """Return the one variable of a source at the places."""
    if len(source.variables) != 1 or source.patch:
        raise SampleError(f"{who}: a mask needs a source of one variable and no patch, got {list(source.variables)}")
    (name,), first = source.variables, 0
    if source.moves(name):
        first = begin_in(source, axis)
    values = read(source, match(source, places), name, first, len(axis))
    if values.shape[-1] != 1:
        raise SampleError(f"{who}: {name} has further dims; select one layer first")
    return values[..., 0]
