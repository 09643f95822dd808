"""The edges of the cells of a rectilinear grid, and their outlines."""

from __future__ import annotations

import numpy as np
import shapely  # type: ignore[import-untyped]
import xarray as xr
from numpy.typing import NDArray

from crest_samples.errors import SampleError

Floats = NDArray[np.float64]
WIDEST = 5.0  # times the usual distance of neighbours, beyond which they are none


def cell_edges(dataset: xr.Dataset, who: str) -> tuple[Floats, Floats]:
    """Return the edges of the rows [degrees_north] and columns [degrees_east], ascending, one more than cells.

    The bounds that lat and lon name are taken; without them edges are half way between the centres.
    """
    if dataset["lat"].dims != ("y",) or dataset["lon"].dims != ("x",):
        raise SampleError(
            f"{who}: cells with edges need lat(y) and lon(x), got lat{dataset['lat'].dims} and "
            f"lon{dataset['lon'].dims}; match it by 'nearest' with a radius"
        )
    lat = np.clip(_edges(dataset, "lat", who), -90.0, 90.0)
    return lat, _edges(dataset, "lon", who)


def cell_boxes(dataset: xr.Dataset, who: str = "the grid") -> list[shapely.Geometry]:
    """Return the outlines of the cells of a grid in degrees, in the order y, x: areas for `Places`."""
    lat, lon = cell_edges(dataset, who)
    south, west = np.meshgrid(lat[:-1], lon[:-1], indexing="ij")
    north, east = np.meshgrid(lat[1:], lon[1:], indexing="ij")
    return list(shapely.box(west.ravel(), south.ravel(), east.ravel(), north.ravel()))


def tears(centres: Floats) -> NDArray[np.int64]:
    """Return the numbers of the centres of rows or columns after which the next is no neighbour."""
    gaps = np.abs(np.diff(centres))
    return np.flatnonzero(gaps > WIDEST * np.median(gaps)) if len(gaps) else np.zeros(0, dtype=np.int64)


def _edges(dataset: xr.Dataset, name: str, who: str) -> Floats:
    values = dataset[name].values.astype(np.float64)
    bounds = dataset[name].attrs.get("bounds")
    if bounds in dataset.variables:
        pairs = dataset[bounds].transpose(*dataset[name].dims, ...).values.astype(np.float64)
        low, high = pairs.min(axis=1), pairs.max(axis=1)
        if not np.isfinite(pairs).all():
            raise SampleError(
                f"{who}: the bounds {bounds} of {name} hold {_first(pairs)}; expected degrees for each cell"
            )
        if np.abs(low[1:] - high[:-1]).max(initial=0.0) > 1e-6 * max(1.0, float((high - low).max())):
            raise SampleError(
                f"{who}: the bounds {bounds} of {name} leave gaps or overlap; expected cells side by side"
            )
        return np.append(low, high[-1])
    if not np.isfinite(values).all():
        raise SampleError(
            f"{who}: {name} holds {_first(values)}; a cell without coordinates has no edges: select it out"
        )
    if values.size < 2 or (np.diff(values) <= 0).any():
        raise SampleError(
            f"{who}: {name} has {values.size} values and no bounds, expected two or more that ascend; give it bounds"
        )
    if len(torn := tears(values)):
        low, high, usual = values[torn[0]], values[torn[0] + 1], np.median(np.diff(values))
        raise SampleError(
            f"{who}: {name} goes on from {low:g} to {high:g}, where neighbours are {usual:g} apart, as on a grid over "
            f"the date line; select one side, or match it by 'nearest' with a radius"
        )
    middle = (values[1:] + values[:-1]) / 2.0
    return np.concatenate([[2.0 * values[0] - middle[0]], middle, [2.0 * values[-1] - middle[-1]]])


def _first(values: Floats) -> float:
    """Return the first value that is no number."""
    return float(values[~np.isfinite(values)][0])
