"""Output: a graph's tensors as a CF Dataset, and Datasets joined along time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from crest_core.clock import Clock, to_xarray_time
from crest_core.component import Tensors
from crest_core.dictionary import Dictionary
from crest_core.fields import FieldSpec
from crest_core.graph import Graph


def to_dataset(
    graph: Graph, outputs: Tensors, clock: Clock, lead: tuple[str, ...], dictionary: Dictionary
) -> xr.Dataset:
    """Return outputs (time, *lead, *dims) as a Dataset: time is the start of each interval, with time_bnds.

    Point values hold at the end of the interval, which the auxiliary coordinate time_end gives.
    """
    data = {}
    for spec in graph.outputs:
        if spec.name in outputs:
            dims = ("time", *lead, *dims_in_files(graph, spec))
            attributes = field_attributes(spec, dictionary)
            data[spec.name] = (dims, outputs[spec.name].detach().cpu().numpy(), attributes)
    return xr.Dataset(data, coords={**time_coordinates(clock), **layer_coordinates(graph)})


def time_coordinates(clock: Clock) -> dict[str, Any]:
    """Return time, time_bnds and time_end of a clock."""
    bounds = to_xarray_time(clock.bounds, clock.calendar)
    encoding = {
        "units": f"seconds since {clock.start.isoformat(sep=' ')}",
        "calendar": clock.calendar,
        "dtype": "int64",
    }
    time = xr.Variable(
        "time",
        bounds[:, 0],
        {"standard_name": "time", "long_name": "start of interval", "bounds": "time_bnds", "axis": "T"},
        encoding,
    )
    end = xr.Variable("time", bounds[:, 1], {"standard_name": "time", "long_name": "end of interval"}, encoding)
    return {"time": time, "time_end": end, "time_bnds": (("time", "bnds"), bounds, {}, encoding)}


def layer_coordinates(graph: Graph) -> dict[str, Any]:
    """Return depth and depth bounds [m] of the layered dims of a graph's components."""
    found: dict[str, Any] = {}
    for child in graph.components.values():
        for dim, layers in child.layers.items():
            bounds = np.asarray(layers, dtype=float)
            attributes = {
                "standard_name": "depth",
                "long_name": f"depth of the middle of the {dim.replace('_', ' ')}",
                "units": "m",
                "positive": "down",
                "bounds": f"{dim}_bnds",
            }
            found[dim] = (dim, bounds.mean(axis=1), attributes)
            found[f"{dim}_bnds"] = ((dim, "bnds"), bounds)
    return found


def field_attributes(spec: FieldSpec, dictionary: Dictionary) -> dict[str, Any]:
    """Return CF attributes; a name that CF does not have becomes the long_name."""
    entry = dictionary.get(spec.standard_name)
    attributes: dict[str, Any] = {"units": spec.units}
    if entry is not None and entry.cf:
        attributes["standard_name"] = entry.standard_name
    attributes["long_name"] = spec.doc or (spec.standard_name or spec.name).replace("_", " ")
    if not spec.static:
        attributes["cell_methods"] = f"time: {spec.statistic}"
        attributes["coordinates"] = "time_end" if spec.statistic == "point" else None
    if spec.positive:
        attributes["positive"] = spec.positive
    return {name: value for name, value in attributes.items() if value}


def dims_in_files(graph: Graph, spec: FieldSpec) -> tuple[str, ...]:
    """Return the dims of an output in a Dataset; those of a named grid carry its name."""
    grid = graph.components[graph.output_ports[spec.name].component].grid
    if grid is None:
        return spec.dims
    own = graph.grids[grid].dims
    return tuple(f"{dim}_{grid}" if dim in own else dim for dim in spec.dims)


def finish(dataset: xr.Dataset, source: xr.Dataset, record: Mapping[str, Any]) -> xr.Dataset:
    """Add the coordinates of the forcing's places, CF and provenance attributes."""
    kept = {
        name: value
        for name, value in source.coords.items()
        if set(map(str, value.dims)) <= set(map(str, dataset.dims)) - {"time"}
    }
    dataset = dataset.assign_coords({k: v for k, v in kept.items() if k not in dataset.coords})
    for variable in dataset.variables.values():
        variable.attrs.pop("coordinates", None)
    return dataset.assign_attrs(
        Conventions="CF-1.11",
        title="CREST simulation",
        source=f"crest-core {record['versions'].get('crest-core', '')}".strip(),
        history=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} simulated by CREST",
        **{name: str(record[name]) for name in record if name != "versions"},
        versions=json.dumps(record["versions"], sort_keys=True),
    )
