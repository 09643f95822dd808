"""Regions of history: the fields and places of a stream, cut out of the outputs of a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from crest_store.errors import StreamError
from crest_store.stream import Box, Stream


def select(outputs: xr.Dataset, name: str, stream: Stream) -> xr.Dataset:
    """Return the fields of a stream in its region."""
    fields = [str(field) for field in outputs.data_vars]
    kept = fields_of(fields, name, stream)
    return within(outputs.drop_vars([one for one in fields if one not in kept]), name, stream)


def fields_of(outputs: Sequence[str], name: str, stream: Stream) -> list[str]:
    """Return the names of the outputs that a stream keeps."""
    if unknown := sorted(set(stream.fields or ()) - set(outputs)):
        raise StreamError(f"stream {name}: fields {unknown} do not exist; the run has {', '.join(outputs)}")
    return [one for one in outputs if stream.fields is None or one in stream.fields]


def within(data: xr.Dataset, name: str, stream: Stream) -> xr.Dataset:
    """Return the places in the region of a stream."""
    if stream.region is None:
        return data
    if isinstance(stream.region, Box):
        return _inside(data, name, stream.region)
    return _cells(data, name, stream.region)


def _inside(data: xr.Dataset, name: str, box: Box) -> xr.Dataset:
    """Return the places whose middle lies in the box."""
    for coordinate in ("lat", "lon"):
        if coordinate not in data.coords or data[coordinate].ndim != 1:
            raise StreamError(
                f"stream {name}: a box needs coordinates lat and lon of one dimension; name cells instead"
            )
    lat, lon = (data[one] for one in ("lat", "lon"))
    rows = (lat.values >= box.south) & (lat.values <= box.north)
    columns = _between(lon.values, box.west, box.east)
    if lat.dims == lon.dims:
        indexers = {lat.dims[0]: np.flatnonzero(rows & columns)}
    else:
        indexers = {lat.dims[0]: np.flatnonzero(rows), lon.dims[0]: np.flatnonzero(columns)}
    if not all(len(index) for index in indexers.values()):
        raise StreamError(f"stream {name}: {box} holds no place; lat {_range(lat)}, lon {_range(lon)}")
    return data.isel(indexers)


def _cells(data: xr.Dataset, name: str, cells: tuple[str | int, ...]) -> xr.Dataset:
    """Return cells by their id (coordinate cell_id), or by the coordinate cell, or by number."""
    if "cell" not in data.dims:
        raise StreamError(f"stream {name}: cells {list(cells)} need a dimension cell; take a Box")
    label = next((one for one in ("cell_id", "cell") if one in data.coords), None)
    names = list(range(data.sizes["cell"])) if label is None else data[label].values.tolist()
    for one, places in _repeated(cells):
        raise StreamError(f"stream {name}: cell {one!r} is asked for at positions {places}; name it once")
    for one, places in _repeated(names):
        if one in cells:
            raise StreamError(
                f"stream {name}: {label} {one!r} stands at positions {places}, and which is meant cannot be told; "
                f"give each cell an id of its own, or take a Box"
            )
    numbers = {cell: place for place, cell in enumerate(names)}
    if missing := [cell for cell in cells if cell not in numbers]:
        raise StreamError(f"stream {name}: cells {missing} do not exist; {label or 'numbers'}: {_some(names)}")
    return data.isel(cell=[numbers[cell] for cell in cells])


def _repeated(names: Sequence[str | int]) -> Iterator[tuple[str | int, str]]:
    """Yield names that occur again, and in words where they stand first and again."""
    first: dict[str | int, int] = {}
    for place, one in enumerate(names):
        if first.setdefault(one, place) != place:
            yield one, f"{first[one]} and {place}"


def _between(lon: np.ndarray, west: float, east: float) -> np.ndarray:
    """Return which longitudes, from -180 or from 0 on, lie on the way east from `west` to `east`, both included."""
    end = east if west <= east else east + 360
    turned = [lon + turn for turn in (-360, 0, 360)]
    return np.any([(one >= west) & (one <= end) for one in turned], axis=0)


def _range(values: xr.DataArray) -> str:
    return f"{float(values.min()):g} to {float(values.max()):g}"


def _some(names: list) -> str:
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")
