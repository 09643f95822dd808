"""Maps: a field of one time, or the mean of a period, where its places lie; a map for each layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from crest_plot.cells import coordinate, is_spread, place_names
from crest_plot.errors import PlotError
from crest_plot.pictures import Map, Page
from crest_plot.selection import Field, at_time

_BLOCK = 16_000_000  # values that are read at once
MOST_MAPS = 6


def is_grid(field: Field) -> bool:
    """Return whether the places of a field are a grid (two dims that are no copies)."""
    return len([dim for dim in field.places if not is_spread(field.array, dim)]) == 2


def map_page(field: Field, *, time: str | None = None, log: bool = False) -> Page:
    """Return the map of a field at a time, by default the mean of all its times."""
    dims = [dim for dim in field.places if not is_spread(field.array, dim)]
    if field.size < 2 or not dims:
        shape = ", ".join(f"{dim} {size}" for dim, size in field.array.sizes.items()) or "none"
        raise PlotError(f"{field.name} has too few places for a map: its dims are {shape}; ask for a series")
    if len(dims) > 2:
        raise PlotError(f"{field.name} has {len(dims)} dims of places ({', '.join(dims)}); a map has one or two")
    if len(field.layers) > MOST_MAPS:
        known = f"0 ({field.layers[0]}) to {len(field.layers) - 1} ({field.layers[-1]})"
        raise PlotError(f"{field.name} has {len(field.layers)} layers, too many maps; choose one with --layer: {known}")
    if time is not None:
        field = at_time(field, time)
    elif field.axis is not None:
        field = replace(field, notes=(*field.notes, f"mean of {field.axis.period()}"))
    copies = [dim for dim in field.places if dim not in dims]
    if copies:
        field = replace(field, notes=(*field.notes, f"mean of {' and '.join(copies)}"))
    values = _means(field, dims)
    if not np.isfinite(values).any():
        raise PlotError(f"{field.name}: all values of the map are missing ({'; '.join(field.notes)})")
    return _page(field, dims, values, log)


def _page(field: Field, dims: list[str], values: np.ndarray, log: bool) -> Page:
    """Return a page of maps (layer, *dims) with one colour scale."""
    shown = np.where(values > 0, values, np.nan) if log else values
    if not np.isfinite(shown).any():
        raise PlotError(f"{field.name} has no value above 0, so no logarithmic colours; leave out --log")
    limits = (float(np.nanmin(shown)), float(np.nanmax(shown)))
    maps = [located(field, dims, shown[n], limits, log, text) for n, text in enumerate(field.layers or ("",))]
    if field.layer is None:
        maps = maps[:1]
    notes, missing = list(field.notes), int(np.isnan(values).sum())
    if missing:
        notes.append(f"grey: {missing} of {values.size} places without a value")
    if log and (hidden := int((values <= 0).sum())):
        notes.append(f"grey, too: {hidden} places of 0 and less, which have no logarithm")
    columns = 1 if len(maps) == 1 else 2 if len(maps) in (2, 4) else 3
    rows = [tuple(maps[first : first + columns]) for first in range(0, len(maps), columns)]
    return Page(field.title, tuple(rows), notes=tuple(notes))


def located(
    field: Field, dims: list[str], values: np.ndarray, limits: tuple[float, float], log: bool, title: str = ""
) -> Map:
    """Return the map of values (*dims): a grid where both axes are one-dimensional, else points."""
    array = field.array
    lat, lon = coordinate(array, "latitude"), coordinate(array, "longitude")
    if lat is None or lon is None:
        lat, lon = _plain_axes(field, dims)
        geographic, names = False, (_axis_label(array, dims[1]), _axis_label(array, dims[0]))
    else:
        geographic, names = True, ("longitude", "latitude")
    if len(dims) == 2 and lat.dims == (dims[1],) and lon.dims == (dims[0],):
        dims, values = dims[::-1], values.T
    nowhere = np.empty(0)
    place = Map(field.label, nowhere, nowhere, values, grid=False, x_label=names[0], y_label=names[1], title=title,
                geographic=geographic, log=log, limits=limits)  # fmt: skip
    if len(dims) == 2 and lat.dims == (dims[0],) and lon.dims == (dims[1],) and min(lat.size, lon.size) > 1:
        east, order = _unwrapped(lon.values) if geographic else (lon.values.astype(float), np.arange(lon.size))
        north = _edges(np.asarray(lat.values, dtype=float))
        return replace(place, x=_edges(east), y=north, values=values[:, order], grid=True)
    across = [xr.broadcast(one, array.isel({d: 0 for d in array.dims if d not in dims}))[0] for one in (lon, lat)]
    x, y = (np.asarray(one.transpose(*dims, ...).values, dtype=float).reshape(-1) for one in across)
    labels = tuple(place_names(array, dims)) if len(dims) == 1 else ()
    return replace(place, x=x, y=y, values=values.reshape(-1), labels=labels)


def _means(field: Field, dims: list[str]) -> np.ndarray:
    """Return means over time and copies, (layer, *dims); values are read in blocks of time."""
    array = field.array
    order = [dim for dim in (field.layer, *dims) if dim]
    length = max(1, _BLOCK // max(1, array.size // array.sizes.get("time", 1)))
    total, count = 0.0, 0.0
    for first in range(0, array.sizes.get("time", 1), length):
        part = array.isel(time=slice(first, first + length)) if "time" in array.dims else array
        values = np.asarray(part.transpose(..., *order).values, dtype=np.float64)
        others = tuple(range(values.ndim - len(order)))
        total = total + np.nansum(values, axis=others)
        count = count + np.isfinite(values).sum(axis=others)
    means = np.divide(total, count, out=np.full(np.shape(count), np.nan), where=np.asarray(count) > 0)
    return means if field.layer else means[None]


def _plain_axes(field: Field, dims: list[str]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the coordinates of two dims that are no latitude and longitude; of one dim there is no map."""
    if len(dims) != 2:
        raise PlotError(
            f"{field.name} has no coordinates lat and lon over {dims[0]}, so no map; add them, or ask for a series"
        )
    y, x = (field.array[dim] for dim in dims)
    return y, x


def _axis_label(array: xr.DataArray, dim: str) -> str:
    attrs = array[dim].attrs if dim in array.coords else {}
    name = str(attrs.get("long_name") or attrs.get("standard_name") or dim).replace("_", " ")
    return f"{name} [{attrs['units']}]" if attrs.get("units") else name


def _unwrapped(longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudes that increase or decrease steadily within [-180, 180), and their order."""
    wrapped = (np.asarray(longitude, dtype=float) + 180.0) % 360.0 - 180.0
    if (np.diff(longitude) > 0).all() and longitude[-1] <= 180.0 or len(longitude) < 2:
        return np.asarray(longitude, dtype=float), np.arange(len(longitude))
    order = np.argsort(wrapped)
    return wrapped[order], order


def _edges(middles: np.ndarray) -> np.ndarray:
    """Return the n + 1 edges of n cells: half-way between middles."""
    between = (middles[:-1] + middles[1:]) / 2.0
    first, last = middles[0] - (between[0] - middles[0]), middles[-1] + (middles[-1] - between[-1])
    return np.concatenate([[first], between, [last]])
