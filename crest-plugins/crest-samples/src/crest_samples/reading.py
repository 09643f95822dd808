"""Reading: the values of matched cells, time by time, from a dataset that may lie on disk."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csr_array

from crest_samples.errors import SampleError
from crest_samples.matching import Match
from crest_samples.places import place_dims
from crest_samples.source import Source

Floats = NDArray[np.float32]


def read(source: Source, match: Match, name: str, first: int, steps: int) -> Floats:
    """Return one variable at each place: (place, time, extra), or (place, extra) without time; nan where unmatched.

    Only the box around the matched cells is read, and only the times asked for.
    """
    variable, dims = source.data[name], place_dims(source.data)
    lead = ["time"] if source.moves(name) else []
    if lead:
        variable = variable.isel(time=slice(first, first + steps))
    shape = tuple(source.data.sizes[dim] for dim in dims)
    variable = variable.transpose(*lead, ..., *(dim for dim in dims if dim in variable.dims))
    box, numbers = _box(np.unique(match.weights.indices), shape)
    held = [dim for dim in dims if dim in variable.dims]
    variable = variable.isel({dim: part for dim, part in zip(dims, box, strict=True) if dim in held})
    complete = variable.variable if len(held) == len(dims) else _spread(variable, dims, box)
    with np.errstate(over="ignore"):
        values = np.asarray(complete.values, dtype=np.float32)
    values = values.reshape(*values.shape[: len(lead)], -1, int(np.prod([part.stop - part.start for part in box])))
    chosen = _at_places(values, match, numbers, source.cover)  # (time, extra, place)
    refuse_infinite(int(np.isinf(chosen).sum()), source, name, "float32")
    return np.ascontiguousarray(np.moveaxis(chosen, -1, 0))


def refuse_infinite(count: int, source: Source, name: str, dtype: str) -> None:
    """Raise SampleError where values of a variable are infinite, as given or beyond `dtype`; what is missing is nan."""
    if count:
        raise SampleError(
            f"{source} [{name}]: {count} values are infinite, or too large for {dtype}; put nan where nothing is "
            f"known, or take other units"
        )


def extra_shape(source: Source, name: str) -> tuple[int, ...]:
    """Return the sizes of the dims of a variable beside time and places."""
    own = {"time", *place_dims(source.data)}
    return tuple(size for dim, size in source.data[name].sizes.items() if dim not in own)


def _box(cells: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[list[slice], NDArray[np.int64]]:
    """Return the smallest box around cells of a grid, and a table from cells to numbers in the box."""
    count = int(np.prod(shape))
    if not len(cells):
        return [slice(0, 1)] * len(shape), np.zeros(count, dtype=np.int64)
    axes = np.unravel_index(cells, shape)
    box = [slice(int(axis.min()), int(axis.max()) + 1) for axis in axes]
    inside = [part.stop - part.start for part in box]
    numbers = np.zeros(count, dtype=np.int64)
    moved = [axis - part.start for axis, part in zip(axes, box, strict=True)]
    numbers[cells] = np.ravel_multi_index(moved, inside)
    return box, numbers


def _spread(variable: xr.DataArray, dims: tuple[str, ...], box: list[slice]) -> xr.Variable:
    """Return a variable that lacks dims of places with all of them, last."""
    sizes = {dim: part.stop - part.start for dim, part in zip(dims, box, strict=True)}
    others = {dim: size for dim, size in variable.sizes.items() if dim not in dims}
    return variable.variable.set_dims(others | sizes)


def _at_places(values: Floats, match: Match, numbers: NDArray[np.int64], cover: float) -> Floats:
    """Return the values of places from those of the cells in the box, along the last axis."""
    if match.one_cell_each:
        chosen = values[..., numbers[np.maximum(match.cells(), 0)]]
        chosen[..., ~match.matched] = np.nan
        return chosen
    held, shape = match.weights, values.shape[:-1]
    weights = csr_array((held.data, numbers[held.indices], held.indptr), shape=(held.shape[0], values.shape[-1]))
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    present = ~np.isnan(flat)
    total, share = weights @ np.where(present, flat, 0.0).T, weights @ present.T.astype(np.float64)  # (place, rows)
    enough = share >= cover * (1.0 - 1e-9)
    mean = np.where(enough, total / np.where(enough, share, 1.0), np.nan)
    return mean.T.reshape(*shape, -1).astype(np.float32)
