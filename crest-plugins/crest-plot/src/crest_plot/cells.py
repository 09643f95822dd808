"""Where values are: coordinates, names of places, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from crest_core.plugins import near
from crest_plot.errors import PlotError

_GEOGRAPHIC = {"latitude": ("lat", "latitude"), "longitude": ("lon", "longitude")}
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
    return array.isel(chosen).assign_coords(cell_id=("cell", ids)), tuple(notes)


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
    """Return where the cell nearest to "lat,lon" is, and a note that says how far; PlotError beyond the grid."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        raise PlotError(f"--cell {text!r}: expected latitude,longitude, such as 50.5,-8.5, an id or a number") from None
    lat, lon = coordinate(array, "latitude"), coordinate(array, "longitude")
    if lat is None or lon is None or not set(lat.dims) | set(lon.dims) <= set(dims):
        raise PlotError(f"--cell {text!r}: {name} has no coordinates lat and lon over {', '.join(dims)}")
    lats, lons = xr.broadcast(lat, lon)
    east = (lons - longitude + 180.0) % 360.0 - 180.0
    squared = ((lats - latitude) ** 2 + (east * np.cos(np.radians(latitude))) ** 2).transpose(*dims)
    place = np.unravel_index(int(np.argmin(squared.values)), squared.shape)
    position = {dim: int(number) for dim, number in zip(dims, place, strict=True)}
    found = (float(lats.isel(position)), float(lons.isel(position)))
    gaps = (abs(found[0] - latitude), abs(float(east.isel(position))))
    for axis, kind, gap in zip((lat, lon), ("latitude", "longitude"), gaps, strict=True):
        if len(dims) > 1 and axis.ndim == 1 and gap > 0.51 * _spacing(axis):
            ends = f"{float(axis.min()):g} to {float(axis.max()):g}"
            raise PlotError(f"--cell {text!r}: beyond the grid of {name}, whose {kind} is {ends}")
    distance = float(squared.isel(position)) ** 0.5 * 111.2  # km of a degree
    return position, f"cell at {found[0]:.4g}, {found[1]:.4g}: {distance:.3g} km from {text}"


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
