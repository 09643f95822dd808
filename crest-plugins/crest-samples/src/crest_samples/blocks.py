"""plan_blocks: pieces of a cube that are read at once, along the edges of its chunks, within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crest_samples.errors import SampleError
from crest_samples.places import Places, place_dims
from crest_samples.planning import Plan
from crest_samples.source import Source

PER_STEP = 48  # bytes of a place and time beside values: counts of valid ones, numbers of windows
COPIES = 3  # of values while a block is read: as read, by place, packed


@dataclass(frozen=True, eq=False)
class Block:
    """Some places, and the starts first, ..., stop - 1 of their windows."""

    numbers: NDArray[np.int64]
    first: int
    stop: int


def plan_blocks(plan: Plan, memory: float) -> list[Block]:
    """Return blocks that hold each place and start once and need at most about `memory` bytes each while being read.

    Blocks follow the chunks of the largest source. Whole series of its tiles are taken where they fit, neighbouring
    tiles together; else the series are cut at edges of chunks in time, each block reads on to the end of its last
    window, and blocks without a start that the plan takes are left out.
    """
    if any(source.patch for source in plan.sources):
        raise SampleError("blocks: images are read whole; leave out patch=, or use make_samples")
    source = max(
        plan.sources, key=lambda one: max(one.data[name].size for name in one.variables if one.data[name].ndim)
    )
    chunks = _chunks(source)
    tiles = _tiles(plan, source, chunks)
    each = COPIES * np.dtype(np.float32).itemsize * plan.width + PER_STEP  # bytes of a place and time
    steps, reach = len(plan.axis), plan.window.length - 1
    largest = max(len(tile) for tile in tiles)
    if largest * steps * each <= memory:
        return [Block(numbers, 0, max(steps - reach, 0)) for numbers in _merged(tiles, int(memory / (steps * each)))]
    begin = plan.begins[plan.sources.index(source)]
    chunk = chunks.get("time", 1)
    fitting = int(memory / (largest * each)) - reach
    if fitting < min(chunk, steps):
        raise SampleError(
            f"blocks: one tile of {source} ({largest} places) and {min(chunk, steps) + reach} steps need about "
            f"{largest * (min(chunk, steps) + reach) * each / 1e6:.1f} MB, the bound for a block is {memory / 1e6:.1f} "
            f"MB; allow more memory, or write smaller chunks"
        )
    cuts = [0, *range(fitting // chunk * chunk - begin % chunk, steps - reach, fitting // chunk * chunk), steps - reach]
    pairs = [(low, high) for low, high in zip(cuts, cuts[1:], strict=False) if low < high]
    return [Block(tile, low, high) for tile in tiles for low, high in pairs if plan.has_start[low:high].any()]


def _chunks(source: Source) -> dict[str, int]:
    """Return the sizes of chunks by dim, of the largest variable; single times where nothing is known."""
    variables = [source.data[name] for name in source.variables]
    largest = max(variables, key=lambda one: one.size)
    return {str(dim): size for dim, size in zip(largest.dims, _sizes(largest), strict=True)}


def _sizes(variable: xr.DataArray) -> tuple[int, ...]:
    if variable.chunks is not None:
        return tuple(max(sizes) for sizes in variable.chunks)
    stored = variable.encoding.get("chunks") or variable.encoding.get("chunksizes")
    if stored and len(stored) == variable.ndim:
        return tuple(map(int, stored))
    return tuple(1 if dim == "time" else size for dim, size in variable.sizes.items())


def _tiles(plan: Plan, source: Source, chunks: dict[str, int]) -> list[NDArray[np.int64]]:
    """Return the numbers of the places whose (first) cell lies in the same chunk, chunk after chunk."""
    dims, weights = place_dims(source.data), plan.matches[plan.sources.index(source)].weights
    none = np.diff(weights.indptr) == 0
    padded = np.append(weights.indices, 0)
    cells = np.where(none, 0, padded[np.minimum(weights.indptr[:-1], len(weights.indices))])
    axes = np.unravel_index(cells, Places.of(source.data).shape)
    tile = np.stack([axis // chunks.get(dim, source.data.sizes[dim]) for axis, dim in zip(axes, dims, strict=True)])
    members = np.unique(tile, axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(members, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(members[order])) + 1)


def _merged(tiles: list[NDArray[np.int64]], places: int) -> Iterator[NDArray[np.int64]]:
    """Yield neighbouring tiles together, as many as hold at most `places` places."""
    held: list[NDArray[np.int64]] = []
    for tile in tiles:
        if held and sum(map(len, held)) + len(tile) > places:
            yield np.concatenate(held)
            held = []
        held.append(tile)
    yield np.concatenate(held)
