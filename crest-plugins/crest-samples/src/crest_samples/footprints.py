"""Footprint: the cells of a target that places take their values from, and which places share some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array, hstack
from scipy.sparse.csgraph import connected_components

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Footprint:
    """The cells of one target that each place takes its values from: those of a match, or a patch around its cell."""

    weights: csr_array  # (place, cell), not 0 where a place takes values of a cell
    shape: tuple[int, ...]  # of the grid, or of the list of cells
    patch: tuple[int, int] | None = None

    def take(self, index: Integers | Mask) -> Footprint:
        """Return the footprint of some of the places."""
        return replace(self, weights=csr_array(self.weights[np.arange(self.weights.shape[0])[index]]))

    def meets(self, chosen: Mask) -> Mask:
        """Return which places share a cell with one of the `chosen` places, themselves included."""
        return self._cells_meet(chosen) if self.patch is None else self._patches_meet(chosen, self.patch)

    def _cells_meet(self, chosen: Mask) -> Mask:
        held = self.weights
        taken = np.zeros(held.shape[1], dtype=bool)
        taken[held.indices[np.repeat(chosen, np.diff(held.indptr))]] = True
        hits = np.concatenate([[0], np.cumsum(taken[held.indices])])
        return hits[held.indptr[1:]] > hits[held.indptr[:-1]]

    def _patches_meet(self, chosen: Mask, patch: tuple[int, int]) -> Mask:
        """Return the same for boxes, by the corners of cumulative sums: patches are never spelt out cell by cell."""
        (rows, columns), (tall, wide) = self.shape, patch
        matched = np.diff(self.weights.indptr) > 0
        y = self.weights.indices // columns - (tall - 1) // 2
        x = self.weights.indices % columns - (wide - 1) // 2
        corners = np.zeros((rows + 1, columns + 1), dtype=np.int64)
        of = chosen[matched]
        for down, right, sign in ((0, 0, 1), (0, wide, -1), (tall, 0, -1), (tall, wide, 1)):
            np.add.at(corners, (y[of] + down, x[of] + right), sign)
        taken = corners.cumsum(0).cumsum(1)[:rows, :columns] > 0
        total = np.pad(taken.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        hits = total[y + tall, x + wide] - total[y, x + wide] - total[y + tall, x] + total[y, x]
        met = np.zeros(len(chosen), dtype=bool)
        met[matched] = hits > 0
        return met


def first_together(footprints: Sequence[Footprint], count: int) -> Integers:
    """Return for each place the first of those that take a target from one cell with it, by way of others too.

    Only targets of one cell a place tie places together; patches and means that overlap would tie whole grids.
    """
    single = [one.weights for one in footprints if (np.diff(one.weights.indptr) <= 1).all()]
    if not single:
        return np.arange(count)
    cells = csr_array(hstack(single))
    labels = connected_components(block_array([[None, cells], [cells.T, None]]), directed=False)[1][:count]
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    return first[group].astype(np.int64)
