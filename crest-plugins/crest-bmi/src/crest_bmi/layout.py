"""Grids that a graph shows as a BMI model: cells, maps and layers of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crest_bmi.grids import BmiGrid
from crest_bmi.model import Array
from crest_core import HORIZONTAL, Graph, Grid

Layers = Mapping[str, tuple[tuple[float, float], ...]]


class Layout:
    """The grids of a graph, numbered as they are asked for; fields of the same places share one."""

    def __init__(self, graph: Graph, places: Grid | None) -> None:
        self._graph, self._places = graph, places
        self._numbers: dict[tuple[tuple[str, ...], tuple[int, ...], str | None], int] = {}
        self.grids: list[BmiGrid] = []

    def number(self, dims: tuple[str, ...], shape: tuple[int, ...], named: str | None) -> int:
        """Return the number of the grid of a field with these dims and sizes, on a named grid of the graph or none."""
        key = dims, shape, named
        if key not in self._numbers:
            self._numbers[key] = len(self.grids)
            places = self._graph.grids[named] if named else self._places
            self.grids.append(bmi_grid(dims, shape, places, self._graph.layers))
        return self._numbers[key]


def bmi_grid(dims: tuple[str, ...], shape: tuple[int, ...], places: Grid | None, layers: Layers) -> BmiGrid:
    """Return a scalar for one cell, unstructured points for cells, else a rectilinear grid, in C order.

    x and y are longitude and latitude where they are known; a layer lies at the depth of its middle. Where nothing is
    known, coordinates count from 0.
    """
    kept = [(dim, size) for dim, size in zip(dims, shape, strict=True) if dim != "cell" or size > 1 or places]
    if not kept:
        return BmiGrid("scalar")
    known = _coordinates(places)
    if [dim for dim, _ in kept] == ["cell"]:
        size = kept[0][1]
        axes = {"x": known["lon"], "y": known["lat"]} if known else {"x": np.arange(float(size))}
        return BmiGrid("unstructured", (size,), axes)
    values = [_axis(dim, size, known, layers) for dim, size in kept]
    return BmiGrid("rectilinear", tuple(size for _, size in kept), dict(zip("xyz", reversed(values), strict=False)))


def _axis(dim: str, size: int, known: Mapping[str, Array], layers: Layers) -> Array:
    if dim in layers:
        return np.array(layers[dim]).mean(axis=1)
    named = {"y": "lat", "x": "lon"}.get(dim, "")
    return known[named] if named in known else np.arange(float(size))


def _coordinates(places: Grid | None) -> Mapping[str, Array]:
    if places is None or not set(places.dims) <= set(HORIZONTAL):
        return {}
    return {name: np.asarray(places.coordinates[name][1]) for name in ("lat", "lon")}
