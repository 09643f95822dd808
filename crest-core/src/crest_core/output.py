"""Output: a graph's tensors as a CF Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from crest_core.component import Tensors
from crest_core.forcing import Forcing
from crest_core.graph import Graph
from crest_fields.clock import Clock, to_xarray_time
from crest_fields.fields import FieldSpec
from crest_fields.units import is_convertible


def to_dataset(graph: Graph, outputs: Tensors, clock: Clock, forcing: Forcing, record: Mapping[str, str]) -> xr.Dataset:
    """Return outputs (time, *lead, *dims) as a Dataset with the places of the forcing and the record of the run.

    Time is the start of each interval, with time_bnds; point values hold at its end, the coordinate time_end.
    """
    data = {}
    for spec in graph.outputs:
        if spec.name in outputs:
            grid = graph.components[graph.output_ports[spec.name].component].grid
            own = graph.grids[grid].dims if grid else ()  # carry the name of their grid
            dims = ("time", *forcing.lead, *(f"{dim}_{grid}" if dim in own else dim for dim in spec.dims))
            data[spec.name] = (dims, outputs[spec.name].numpy(force=True), _attributes(graph, spec))
    dataset = xr.Dataset(data, _time_coordinates(clock) | _layer_coordinates(graph))
    for name, places in forcing.dataset.coords.items():
        if name not in dataset.variables and set(places.dims) <= set(dataset.dims) - {"time", *graph.dim_sizes}:
            dataset = dataset.assign_coords({name: places.variable})  # not what hangs on it
    zone = {key: str(text) for key, text in forcing.dataset.attrs.items() if key == "time_zone"}  # whose days these are
    return dataset.assign_attrs(Conventions="CF-1.11", title="CREST simulation", **zone, **record)


def _attributes(graph: Graph, spec: FieldSpec) -> dict[str, str]:
    """Return CF attributes; only names of the CF table, with units of their kind, are standard names."""
    entry = graph.dictionary.get(spec.standard_name)
    of_cf = entry is not None and entry.cf and is_convertible(spec.units, entry.canonical_units)
    attributes = {
        "standard_name": entry.standard_name if entry is not None and of_cf else "",
        "long_name": spec.doc or (spec.standard_name or spec.name).replace("_", " "),
        "units": spec.units,
        "cell_methods": "" if spec.static else f"time: {spec.statistic}",
        "positive": spec.positive,
    }
    return {name: value for name, value in attributes.items() if value}


def _time_coordinates(clock: Clock) -> dict[str, Any]:
    bounds = to_xarray_time(clock.bounds, clock.calendar)
    since = f"seconds since {clock.start.isoformat(sep=' ')}"
    encoding = {"units": since, "calendar": clock.calendar, "dtype": "int64"}
    leap = {"units_metadata": "leap_seconds: none"} if clock.calendar == "standard" else {}
    start = {"standard_name": "time", **leap, "long_name": "start of interval", "bounds": "time_bnds", "axis": "T"}
    end = {"standard_name": "time", **leap, "long_name": "end of interval"}
    return {
        "time": xr.Variable("time", bounds[:, 0], start, encoding),
        "time_end": xr.Variable("time", bounds[:, 1], end, encoding),
        "time_bnds": (("time", "bnds"), bounds, {}, encoding),
    }


def _layer_coordinates(graph: Graph) -> dict[str, Any]:
    """Return depth and depth bounds [m] of the layered dims."""
    found: dict[str, Any] = {}
    for dim, layers in graph.layers.items():
        bounds, whole = np.asarray(layers, dtype=float), {"_FillValue": None}  # which CF forbids in coordinates
        named = {"standard_name": "depth", "long_name": f"depth of the middle of the {dim.replace('_', ' ')}"}
        depth = {"units": "m", "positive": "down", "axis": "Z", "bounds": f"{dim}_bnds"}
        found[dim] = xr.Variable(dim, bounds.mean(axis=1), named | depth, whole)
        found[f"{dim}_bnds"] = xr.Variable((dim, "bnds"), bounds, {}, whole)
    return found
