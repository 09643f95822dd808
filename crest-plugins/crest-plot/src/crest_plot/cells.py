"""Where values are: coordinates, names of places, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from crest_core.plugins import near
from crest_plot.errors import PlotError

_GEOGRAPHIC = {"latitude": ("lat", "latitude"), "longitude": ("lon", "longitude")}
_EARTH = 6371.0  # km, its radius
NEAR = 25.0  # km: a point may be as far from any cell; farther, up to 3/4 of the distance to the next cell
_ASKED = "numbers or points that were asked for"  # marks names that are no ids
_DEGREES = {"latitude": "degrees_north", "longitude": "degrees_east"}


def coordinate(array: xr.DataArray, kind: str) -> xr.DataArray | None:
    """Return latitude or longitude of an array, by standard name, units or name; None where it has none."""
    for name, values in array.coords.items():
        attrs = values.attrs
        meant = attrs.get("standard_name") == kind or attrs.get("units") == _DEGREES[kind]
        if meant or str(name).lower() in _GEOGRAPHIC[kind]:
            return values
    return None


def is_spread(array: xr.DataArray, dim: str) -> bool:
    """Return whether a dim is no place but one of copies: members, samples, lead times."""
    known = dim in ("cell", "y", "x", "lat", "lon", "latitude", "longitude") or dim.startswith(("cell_", "y_", "x_"))
    located = [coordinate(array, kind) for kind in _GEOGRAPHIC]
    return not known and not any(dim in values.dims for values in located if values is not None)


def place_names(array: xr.DataArray, places: Sequence[str]) -> list[str]:
    """Return the name of each place (in the order of `places`): ids where there are, else numbers or coordinates."""
    if not places:
        return [""]
    names = [""]
    for dim in places:
        own = _names_of(array, dim)
        names = [f"{before}, {name}" if before else name for before in names for name in own]
    return names


def ids_of(array: xr.DataArray, places: Sequence[str]) -> list[str]:
    """Return the id of each place (in the order of `places`); none where cells have numbers or coordinates only."""
    dims, shape = [dim for dim in places if not is_spread(array, dim)], [array.sizes[dim] for dim in places]
    alone = array.coords.get("cell_id")
    if not dims and alone is not None and alone.ndim == 0 and alone.dtype.kind in "OUST":
        return [str(alone.values)] * int(np.prod(shape, dtype=int))
    marked = "cell_id" in array.coords and array["cell_id"].attrs.get("comment") == _ASKED
    ids = _ids(array, dims[0]) if len(dims) == 1 and not marked else []
    numbers = np.indices(shape)[places.index(dims[0])].ravel() if ids else []
    return [ids[number] for number in numbers]


def points_of(array: xr.DataArray, places: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return latitude and longitude of each place (in the order of `places`); None where they are not known."""
    lat, lon = coordinate(array, "latitude"), coordinate(array, "longitude")
    if lat is None or lon is None or not set(lat.dims) | set(lon.dims) <= set(places):
        return None
    whole = xr.DataArray(np.zeros([array.sizes[dim] for dim in places]), dims=places)
    lats, lons = ((whole + _bare(values)).transpose(*places).values.ravel() for values in (lat, lon))
    return (lats, lons) if np.isfinite(lats + lons).any() else None


def choose_places(
    array: xr.DataArray, name: str, places: Sequence[str], wanted: Sequence[str]
) -> tuple[xr.DataArray, tuple[str, ...]]:
    """Return the array at cells: by id, by number, or as "lat,lon" the one that holds or is next to the point."""
    dims = [dim for dim in places if not is_spread(array, dim)]
    if not dims:
        raise PlotError(f"--cell: {name} has no cells; its dims are {', '.join(map(str, array.dims)) or 'none'}")
    ids, picked, notes = [], [], []
    for text in wanted:
        if "," in text and text not in _ids(array, dims[0]):
            position, note = _nearest(array, name, dims, text)
            notes.append(note)
            ids.append(text if len(dims) > 1 else _names_of(array, dims[0])[position[dims[0]]])
        else:
            position = {dims[0]: _one(array, name, dims, text)}
            ids.append(_names_of(array, dims[0])[position[dims[0]]])
        picked.append(position)
    chosen = {dim: xr.DataArray([position[dim] for position in picked], dims="cell") for dim in dims}
    marks = {"comment": _ASKED} if len(dims) > 1 or not _ids(array, dims[0]) else {}
    return array.isel(chosen).assign_coords(cell_id=("cell", ids, marks)), tuple(notes)


def _one(array: xr.DataArray, name: str, dims: Sequence[str], text: str) -> int:
    """Return the number of a cell that is named by its id or its number."""
    if len(dims) > 1:
        raise PlotError(f"--cell {text!r}: {name} lies on a grid ({', '.join(dims)}); give latitude,longitude")
    ids, size = _ids(array, dims[0]), array.sizes[dims[0]]
    if text in ids:
        return ids.index(text)
    if text.isdecimal() and int(text) < size:
        return int(text)
    known = f"ids such as {', '.join(ids[:3])}, or numbers" if ids else "numbers"
    raise PlotError(f"--cell {text!r}: {name} has no such cell{near(text, ids)}; it has {known} 0 to {size - 1}")


def _nearest(array: xr.DataArray, name: str, dims: Sequence[str], text: str) -> tuple[dict[str, int], str]:
    """Return where the cell nearest to "lat,lon" is, and a note that says how far; PlotError far from all cells."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise PlotError(f"--cell {text!r}: expected latitude,longitude, such as 50.5,-8.5, an id or a number") from None
    lat, lon = coordinate(array, "latitude"), coordinate(array, "longitude")
    if lat is None or lon is None or not set(lat.dims) | set(lon.dims) <= set(dims):
        raise PlotError(f"--cell {text!r}: {name} has no coordinates lat and lon over {', '.join(dims)}")
    lats, lons = (values.transpose(*dims) for values in xr.broadcast(lat, lon))
    away = kilometres(lats.values, lons.values, latitude, longitude)
    if not np.isfinite(away).any():
        raise PlotError(f"--cell {text!r}: the places of {name} have no latitude and longitude; give an id or a number")
    place = np.unravel_index(int(np.nanargmin(away)), away.shape)
    position = {dim: int(number) for dim, number in zip(dims, place, strict=True)}
    found, distance = (float(lats.values[place]), float(lons.values[place])), float(away[place])
    if len(dims) > 1 and lat.ndim == lon.ndim == 1 and min(lat.size, lon.size) > 1:
        gaps = (abs(found[0] - latitude), abs((found[1] - longitude + 180.0) % 360.0 - 180.0))
        for axis, kind, gap in zip((lat, lon), ("latitude", "longitude"), gaps, strict=True):
            if gap > 0.51 * _spacing(axis):
                ends = f"{float(axis.min()):g} to {float(axis.max()):g}"
                raise PlotError(f"--cell {text!r}: beyond the grid of {name}, whose {kind} is {ends}")
    elif distance > (limit := _reach(kilometres(lats.values, lons.values, *found))):
        own = f" ({_names_of(array, dims[0])[place[0]]})" if len(dims) == 1 else ""
        other = ", an id or a number" if len(dims) == 1 else ""
        raise PlotError(
            f"--cell {text!r}: the nearest cell of {name}{own} is at {found[0]:.4g},{found[1]:.4g}, {distance:.3g} km "
            f"away; give a point within {limit:.3g} km of a cell{other}"
        )
    return position, f"cell at {found[0]:.4g}, {found[1]:.4g}: {distance:.3g} km from {text}"


def kilometres(lats: Any, lons: Any, latitude: Any, longitude: Any) -> np.ndarray:
    """Return the distances of places from a point along the great circle."""
    north, east = np.radians(lats - latitude), np.radians(lons - longitude)
    scale = np.cos(np.radians(lats)) * np.cos(np.radians(latitude))
    squared = np.sin(north / 2.0) ** 2 + scale * np.sin(east / 2.0) ** 2
    return np.asarray(2.0 * _EARTH * np.arcsin(np.sqrt(np.minimum(squared, 1.0))))


def _reach(away: np.ndarray) -> float:
    """Return how far [km] from a cell a point may lie, from the distances of other cells to it."""
    others = away[np.isfinite(away) & (away > 1e-3)]
    return max(NEAR, 0.75 * float(others.min(initial=np.inf))) if others.size else NEAR


def reach_of(array: xr.DataArray, places: Sequence[str], latitude: float, longitude: float) -> float:
    """Return how far [km] a point may lie from the cell at a place: 25 km, or 3/4 of the distance between cells."""
    lat, lon, points = coordinate(array, "latitude"), coordinate(array, "longitude"), points_of(array, places)
    if lat is None or lon is None or points is None:
        return NEAR
    if lat.ndim == lon.ndim == 1 and lat.dims != lon.dims:
        widths = (1.0, float(np.cos(np.radians(latitude))))
        gaps = [_spacing(axis) * width for axis, width in zip((lat, lon), widths, strict=True) if axis.size > 1]
        return max(NEAR, 0.75 * np.radians(max(gaps, default=0.0)) * _EARTH)
    return _reach(kilometres(*points, latitude, longitude))


def _bare(values: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(values.values.astype(np.float64), dims=values.dims)


def _spacing(axis: xr.DataArray) -> float:
    return float(np.abs(np.diff(axis.values)).max()) if axis.size > 1 else 360.0


def _ids(array: xr.DataArray, dim: str) -> list[str]:
    """Return the ids of a dim: its `<dim>_id` or its own coordinate where that is text."""
    for name in (f"{dim}_id", dim, *map(str, array.coords)):
        values = array.coords.get(name)
        if values is not None and values.dims == (dim,) and values.dtype.kind in "OUST":
            return [value.decode() if isinstance(value, bytes) else str(value) for value in values.values]
    return []


def _names_of(array: xr.DataArray, dim: str) -> list[str]:
    ids = _ids(array, dim)
    if ids:
        return ids
    if dim in array.coords and array[dim].dtype.kind in "fiu":
        return [f"{dim} {value:g}" for value in array[dim].values]
    return [f"{dim} {number}" for number in range(array.sizes[dim])]
