"""Area mean: the share of each cell of a source in the area of a place."""

from __future__ import annotations

import numpy as np
import shapely  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy.sparse import csr_array

from crest_samples import great_circle
from crest_samples.errors import SampleError
from crest_samples.grid_cells import cell_edges
from crest_samples.outlines import TURNS, check_outline
from crest_samples.places import Places
from crest_samples.source import Source

Floats = NDArray[np.float64]
ROUNDING = 1e-9  # of a share of an area


def area_weights(source: Source, places: Places) -> csr_array:
    """Return (place, cell): the share of the place's area in each cell; empty where too little of it is in the grid.

    With outlines, areas are those of the outlines in the plane (lon, sin lat), which keeps areas: exact for edges
    along meridians and parallels. An outline may cross the date line: with longitudes that go on beyond 180, or split
    there. Without outlines, a place takes all cells whose centre is within the source's radius, by
    their areas (cells of a list count alike).
    """
    if places.areas is not None:
        return _of_outlines(source, places)
    if not (source.radius or 0.0) > 0.0:
        raise SampleError(
            f"{source}: 'area mean' needs places with areas (Places.of(dataset, areas=...)) or a radius= in metres"
        )
    theirs, sizes = Places.of(source.data), _cell_areas(source)
    known = theirs.located(str(source))
    near = great_circle.within(places.lat, places.lon, theirs.lat[known], theirs.lon[known], source.radius or 0.0)
    rows = np.repeat(np.arange(len(places)), [len(one) for one in near])
    cells = known[np.concatenate([np.asarray(one, dtype=np.int64) for one in near])] if len(near) else known[:0]
    total = np.bincount(rows, sizes[cells], minlength=len(places))
    return csr_array((sizes[cells] / total[rows], (rows, cells)), shape=(len(places), len(theirs)))


def _of_outlines(source: Source, places: Places) -> csr_array:
    lat, lon = cell_edges(source.data, str(source))
    levels = np.sin(np.radians(lat))
    south, west = np.meshgrid(levels[:-1], lon[:-1], indexing="ij")
    north, east = np.meshgrid(levels[1:], lon[1:], indexing="ij")
    boxes = shapely.box(west.ravel(), south.ravel(), east.ravel(), north.ravel())
    outlines = shapely.transform(np.array(places.areas, dtype=object), _keeping_areas)
    if not shapely.is_valid(outlines).all():
        wrong = str(places.ids[np.flatnonzero(~shapely.is_valid(outlines))[0]])
        raise SampleError(f"place {wrong!r}: its outline crosses itself; repair it, as by shapely.make_valid")
    for name, outline in zip(places.ids, places.areas or (), strict=True):
        check_outline(outline, f"place {str(name)!r}")
    rows, cells, shares = np.concatenate([_shares(outlines, boxes, turn) for turn in TURNS], axis=1)
    rows, cells = rows.astype(np.int64), cells.astype(np.int64)
    held = np.bincount(rows, shares, minlength=len(places)) >= source.cover * (1.0 - ROUNDING)
    kept = held[rows] & (shares > 0.0)
    return csr_array((shares[kept], (rows[kept], cells[kept])), shape=(len(places), len(boxes)))


def _shares(outlines: NDArray[np.object_], boxes: NDArray[np.object_], turn: float) -> Floats:
    """Return (outline, box, share of the outline's area) where outlines, turned by `turn` degrees east, meet boxes."""
    turned = shapely.transform(outlines, lambda points: points + [turn, 0.0])
    rows, cells = shapely.STRtree(boxes).query(turned, predicate="intersects")
    areas = shapely.area(shapely.intersection(turned[rows], boxes[cells]))
    return np.stack([rows, cells, areas / shapely.area(turned)[rows]])


def _keeping_areas(degrees: Floats) -> Floats:
    """Return (lon, lat) as (lon, sin lat): Lambert's cylinder, on which areas are those of the sphere."""
    return np.stack([degrees[:, 0], np.sin(np.radians(degrees[:, 1]))], axis=1)


def _cell_areas(source: Source) -> Floats:
    """Return the areas of the cells in some unit; equal ones where a source is a list of cells."""
    data = source.data
    if "cell" in data.dims:
        return np.ones(data.sizes["cell"])
    if data["lat"].dims != ("y",) or data["lon"].dims != ("x",):
        return np.cos(np.radians(Places.of(data).lat))
    lat, lon = cell_edges(data, str(source))
    return np.outer(np.diff(np.sin(np.radians(lat))), np.diff(lon)).ravel()
