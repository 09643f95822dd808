"""Matching: which cells of a source a place takes its values from, and with what weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from crest_samples import great_circle
from crest_samples.area_mean import area_weights
from crest_samples.errors import SampleError
from crest_samples.grid_cells import cell_edges, tears
from crest_samples.places import Places
from crest_samples.source import Source

Integers = NDArray[np.int64]
SAME_NAME = 1000.0  # m, within which cells of one cell_id are one place, unless a source has a radius
SAME_PLACE = 1.0  # m, within which cells without names are


@dataclass(frozen=True, eq=False)
class Match:
    """The share of each cell of a source in each place; a place without any is unmatched."""

    weights: csr_array  # (place, cell of the source, flattened), each row sums to the share of the area in the grid

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Whether each place takes values from some cell."""
        return np.diff(self.weights.indptr) > 0

    @property
    def one_cell_each(self) -> bool:
        """Whether values are taken as they are, without a mean."""
        return bool((np.diff(self.weights.indptr) <= 1).all() and (self.weights.data == 1.0).all())

    def cells(self) -> Integers:
        """Return the cell of each place, -1 where there is none; for matches of one cell."""
        found = np.full(self.weights.shape[0], -1, dtype=np.int64)
        found[self.matched] = self.weights.indices
        return found

    def take(self, index: NDArray[np.bool_] | Integers) -> Match:
        """Return the match of some of the places."""
        return Match(csr_array(self.weights[np.arange(self.weights.shape[0])[index]]))


def match(source: Source, places: Places) -> Match:
    """Return how each place finds its values in a source; what is not found is left unmatched."""
    ways: dict[str, Callable[[Source, Places], csr_array]] = {
        "id": _by_id,
        "nearest": _nearest,
        "containing": _containing,
        "area mean": area_weights,
    }
    outlined = source.match == "area mean" and places.areas is not None
    if source.match != "id" and not outlined:
        places.check_located(f"{source}: {source.match!r}")
    found = Match(ways[source.match](source, places))
    return found if source.patch is None else _with_room(source, found)


def _by_id(source: Source, places: Places) -> csr_array:
    theirs = Places.of(source.data)
    if theirs.dims != places.dims or (theirs.dims != ("cell",) and theirs.shape != places.shape):
        raise SampleError(
            f"{source}: 'id' matches cells by cell_id, or cells of one and the same grid; it has {theirs.dims} "
            f"{theirs.shape} and the places {places.dims} {places.shape}; match it by 'nearest' or 'containing'"
        )
    order = np.argsort(theirs.ids)
    at = order[np.minimum(np.searchsorted(theirs.ids, places.ids, sorter=order), len(theirs) - 1)]
    same = theirs.ids[at] == places.ids
    _refuse_apart(source, places, theirs, np.where(same, at, -1))
    return _one_each(np.where(same, at, -1), len(theirs))


def _refuse_apart(source: Source, places: Places, theirs: Places, at: Integers) -> None:
    """Raise SampleError where cells `at` (-1 for none) lie apart from their places: a name alone does not match."""
    same, lat, lon = at >= 0, theirs.lat[at], theirs.lon[at]
    metres = great_circle.distance(lat, lon, places.lat, places.lon)
    grid = places.dims == ("y", "x")
    if not grid and all(one.origin is None or "cell_id" in one.origin for one in (theirs, places)):
        limit = SAME_NAME if source.radius is None else source.radius
        apart = same & (metres > limit)  # not where coordinates are unknown: the names tell
        repair = "mend the coordinates or cell_id, give a larger radius=, or match it by 'nearest'"
    else:
        limit = SAME_PLACE
        apart = same & ((metres > limit) if grid else ~(metres <= limit))
        repair = (
            "match it by 'nearest' or 'containing'"
            if grid
            else "without cell_id only cells at one place are the same; give both a cell_id, or match it by 'nearest'"
        )
    if apart.any():
        first = int(np.flatnonzero(apart)[0])
        raise SampleError(
            f"{source}: {'its grid' if grid else 'it'} has cell {str(places.ids[first])!r} at {lat[first]:g}, "
            f"{lon[first]:g}, the places have it at {places.lat[first]:g}, {places.lon[first]:g}, "
            f"{metres[first]:.0f} m apart, more than {limit:g} m; {repair}"
        )


def _nearest(source: Source, places: Places) -> csr_array:
    theirs = Places.of(source.data)
    known = theirs.located(str(source))
    found, metres = great_circle.nearest(places.lat, places.lon, theirs.lat[known], theirs.lon[known])
    return _one_each(np.where(metres <= (source.radius or 0.0), known[found], -1), len(theirs))


def _containing(source: Source, places: Places) -> csr_array:
    """Return the cell [south, north) x [west, east) that holds each point; the pole belongs to the last row."""
    lat, lon = cell_edges(source.data, str(source))
    east = (places.lon - lon[0]) % 360.0 + lon[0]
    row, column = np.searchsorted(lat, places.lat, side="right") - 1, np.searchsorted(lon, east, side="right") - 1
    row = np.where((places.lat == 90.0) & (lat[-1] == 90.0), len(lat) - 2, row)
    inside = (row >= 0) & (row < len(lat) - 1) & (column >= 0) & (column < len(lon) - 1)
    return _one_each(np.where(inside, row * (len(lon) - 1) + column, -1), (len(lat) - 1) * (len(lon) - 1))


def _with_room(source: Source, found: Match) -> Match:
    """Return the match without the places whose patch does not fit into the grid, or goes over a tear in it."""
    (rows, columns), (tall, wide) = Places.of(source.data).shape, source.patch or (1, 1)
    cells = found.cells()
    y, x = cells // columns - (tall - 1) // 2, cells % columns - (wide - 1) // 2
    fits = (cells >= 0) & (y >= 0) & (x >= 0) & (y + tall <= rows) & (x + wide <= columns)
    for name, dim, first, size in (("lat", "y", y, tall), ("lon", "x", x, wide)):
        if source.data[name].dims == (dim,):
            for torn in tears(source.data[name].values.astype(np.float64)):
                fits &= (torn < first) | (torn >= first + size - 1)
    return Match(_one_each(np.where(fits, cells, -1), rows * columns))


def _one_each(cells: Integers, count: int) -> csr_array:
    rows = np.flatnonzero(cells >= 0)
    return csr_array((np.ones(len(rows)), (rows, cells[rows])), shape=(len(cells), count))
