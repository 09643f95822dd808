"""Grids of BMI: what a model says of the places of a variable."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod

import numpy as np

from crest_bmi.model import Array, BmiModel
from crest_core import ComponentError, GridError

_LISTS = ("points", "vector", "unstructured", "unstructured_triangular")
_SHAPED = ("uniform_rectilinear", "uniform_rectilinear_grid", "rectilinear", "structured_quadrilateral")
DEFAULT_DIMS = {0: (), 1: ("cell",), 2: ("y", "x"), 3: ("z", "y", "x")}
Axes = Mapping[str, Array]


@dataclass(frozen=True)
class BmiGrid:
    """A grid as BMI tells it: type, shape (slowest dim first) and coordinates by "x", "y", "z" where it has them.

    >>> BmiGrid("scalar").shape
    ()
    """

    kind: str
    shape: tuple[int, ...] = ()
    axes: Axes = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of places."""
        return prod(self.shape)


def read_grid(model: BmiModel, name: str) -> BmiGrid:
    """Return the grid of a variable; GridError where variable and grid do not fit each other.

    A grid of one place is a scalar, whatever its type: many models of one column leave the functions of grids out.
    """
    if model.size(name) == 1:
        return BmiGrid("scalar")
    location = model.ask("get_var_location", name)
    if location == "none":
        return BmiGrid("scalar")
    grid = model.whole("get_var_grid", name)
    kind, size = str(model.ask("get_grid_type", grid)), model.whole("get_grid_size", grid, 1)
    who = f"{model.who}: variable {name!r} on grid {grid} ({kind})"
    if location != "node":
        raise GridError(f"{who} lies on {location!r}; only values on nodes can be fields, leave it out")
    if model.size(name) != size:
        raise GridError(f"{who} holds {model.size(name)} numbers, but the grid has {size} places")
    if kind in _LISTS:
        return BmiGrid(kind, (size,), _axes(model, grid, {"x": size, "y": size} if kind != "vector" else {}))
    if kind not in _SHAPED:
        raise GridError(f"{who} is of an unknown type; expected scalar, {', '.join((*_LISTS, *_SHAPED))}")
    rank = model.whole("get_grid_rank", grid, 1)
    shape = tuple(int(n) for n in model.fill("get_grid_shape", grid, np.zeros(rank, np.int32)))
    if prod(shape) != size or rank not in (1, 2, 3):
        raise GridError(f"{who} has shape {shape}, rank {rank} and {size} places, which do not fit each other")
    if kind.startswith("uniform"):
        return BmiGrid(kind, shape, _uniform(model, grid, shape))
    sizes = dict(zip("xyz", reversed(shape), strict=False))
    if kind == "structured_quadrilateral":
        sizes = dict.fromkeys(sizes, size)
    return BmiGrid(kind, shape, _axes(model, grid, sizes))


def _uniform(model: BmiModel, grid: int, shape: tuple[int, ...]) -> Axes:
    origin, spacing = (model.fill(what, grid, np.zeros(len(shape))) for what in ("get_grid_origin", "get_grid_spacing"))
    values = [start + step * np.arange(n) for start, step, n in zip(origin, spacing, shape, strict=True)]
    return dict(zip("xyz", reversed(values), strict=False))


def _axes(model: BmiModel, grid: int, sizes: Mapping[str, int]) -> Axes:
    """Return the coordinates that the model has; many leave them out."""
    found = {}
    for axis, size in sizes.items():
        with suppress(ComponentError):
            found[axis] = model.fill(f"get_grid_{axis}", grid, np.zeros(size)).copy()
    return found
