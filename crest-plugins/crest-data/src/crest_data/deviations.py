"""Deviations of a dataset from the convention, all of them in one message."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from crest_core import UnitError, conversion, time_statistic
from crest_data.errors import DataError
from crest_data.times import bounds_of, to_ticks
from crest_data.variable import STATISTICS

_PLACES = ("cell", "y", "x")


def check_convention(dataset: xr.Dataset) -> None:
    """Return if the dataset keeps to the convention; DataError lists every deviation."""
    faults = [*_places(dataset), *_times(dataset), *_attributes(dataset)]
    for name in map(str, dataset.data_vars):
        if not name.endswith("_quality") and name != "time_bnds":
            faults += _variable(dataset, name)
    if faults:
        head = "the dataset departs from the convention; bring it there with its reader or with conform:"
        raise DataError("\n".join([head, *faults]))


def _places(dataset: xr.Dataset) -> Iterator[str]:
    on_cells, on_grid = "cell" in dataset.dims, {"y", "x"} <= set(dataset.dims)
    if not dataset.data_vars:
        yield "it holds no variable"
    if on_cells == on_grid:
        yield f"dims: expected cell, or y and x, got {sorted(map(str, dataset.dims))}"
        return
    for name, units, low, high in (("lat", "degrees_north", -90.0, 90.0), ("lon", "degrees_east", -180.0, 180.0)):
        if name not in dataset.coords:
            yield f"{name}: the coordinate is absent"
            continue
        if dataset[name].attrs.get("units") != units:
            yield f"{name}: units {dataset[name].attrs.get('units')!r}, expected {units!r}"
        values = dataset[name].values
        inside = (values >= low) & ((values < high) if name == "lon" else (values <= high))
        if (bad := values[~np.isnan(values) & ~inside]).size:
            yield f"{name}: {bad[0]:g} is not within {'[-180, 180)' if name == 'lon' else '[-90, 90]'}"
        dim = {"lat": "y", "lon": "x"}[name]
        if on_grid and dim in dataset[name].dims:
            other = "x" if dim == "y" else "y"
            line = dataset[name].isel({other: 0}) if other in dataset[name].dims else dataset[name]
            if (np.diff(line.values) <= 0).any():
                yield f"{name}: not ascending along {dim}"
    if on_cells and ("cell_id" not in dataset.coords or dataset["cell_id"].dtype.kind not in "UT"):
        yield "cell_id: expected a coordinate of text on cell"


def _times(dataset: xr.Dataset) -> Iterator[str]:
    if "time" not in dataset.dims:
        return
    if "time" not in dataset.coords or dataset["time"].dtype.kind not in "MO":
        yield "time: expected a coordinate of dates"
        return
    values = dataset["time"].values
    if values.dtype.kind == "M" and values.dtype != np.dtype("datetime64[ns]"):
        yield f"time: {values.dtype}, expected datetime64[ns]"
    ticks = to_ticks(values)
    if (np.diff(ticks) <= 0).any():
        yield "time: not ascending, or a time twice"
    if "time_zone" not in dataset.attrs:
        yield "time_zone: the attribute is absent; 'UTC', or what the local days are"
    bounds = bounds_of(dataset)
    if not bounds:
        for name, variable in dataset.data_vars.items():
            if "time" in variable.dims and "cell_methods" in variable.attrs and _statistic(variable) != "point":
                yield f"{name}: {variable.attrs['cell_methods']!r} without time bounds"
        return
    if bounds not in dataset.variables or dataset[bounds].sizes.get("time") != len(ticks):
        yield f"{bounds}: named as the bounds of time, but absent"
        return
    edges = to_ticks(dataset[bounds].transpose("time", ...).values)
    if (edges[:, 0] != ticks).any():
        yield "time: not the start of the interval that the bounds tell"
    if (edges[:, 1] <= edges[:, 0]).any() or (edges[1:, 0] < edges[:-1, 1]).any():
        yield f"{bounds}: intervals are empty or overlap"
    yield from _ends(dataset, edges)


def _ends(dataset: xr.Dataset, edges: np.ndarray) -> Iterator[str]:
    """Yield where the ends of the intervals, at which point values hold, are not told or are others."""
    if "time_end" in dataset.coords:
        ends = dataset["time_end"]
        if ends.dims != ("time",) or ends.dtype.kind not in "MO" or (to_ticks(ends.values) != edges[:, 1]).any():
            yield "time_end: not the ends of the intervals that the bounds tell"
        return
    for name, variable in dataset.data_vars.items():
        if holds_at_the_end(variable):
            yield f"{name}: 'time: point' without the coordinate time_end, the ends of the intervals"


def holds_at_the_end(variable: xr.DataArray) -> bool:
    """Return whether the values are those at the end of each interval, and not at a time that a coordinate tells."""
    return "time" in variable.dims and _statistic(variable) == "point" and "point_time" not in variable.attrs


def _attributes(dataset: xr.Dataset) -> Iterator[str]:
    for name in ("source", "changes"):
        if not isinstance(dataset.attrs.get(name), str):
            yield f"{name}: the attribute is absent"


def _variable(dataset: xr.Dataset, name: str) -> Iterator[str]:
    variable = dataset[name]
    try:
        conversion(units := str(variable.attrs["units"]), units)
    except KeyError:
        yield f"{name}: no units"
    except UnitError as error:
        yield f"{name}: {error}"
    if variable.dtype.kind != "f":
        yield f"{name}: {variable.dtype}, expected floats with nan for missing"
    if {"_FillValue", "missing_value", "scale_factor", "add_offset"} & set(variable.attrs):
        yield f"{name}: holds fill values or packed numbers; expected nan for missing"
    dims = tuple(map(str, variable.dims))
    known = tuple(dim for dim in _PLACES if dim in dims)
    if "time" in dims and dims[0] != "time" or dims[len(dims) - len(known) :] != known:
        yield f"{name}: dims {dims}, expected time first and the places last"
    if "time" in dims and _statistic(variable) not in STATISTICS:
        yield f"{name}: cell_methods {variable.attrs.get('cell_methods')!r}, expected 'time: mean' or the like"
    if (told := variable.attrs.get("point_time")) is not None and told not in variable.coords:
        yield f"{name}: holds at the times of {told!r}, which is no coordinate of it"
    linked = variable.attrs.get("ancillary_variables")
    if linked is not None:
        yield from _quality(dataset, name, str(linked))


def _quality(dataset: xr.Dataset, name: str, linked: str) -> Iterator[str]:
    if linked not in dataset:
        yield f"{linked}: named by {name}, but absent"
    elif dataset[linked].dtype != np.uint8 or dataset[linked].dims != dataset[name].dims:
        yield f"{linked}: expected uint8 on the dims of {name}"


def _statistic(variable: xr.DataArray) -> str:
    return time_statistic(str(variable.attrs.get("cell_methods", "")))
