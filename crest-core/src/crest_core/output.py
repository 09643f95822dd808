"""Output: a graph's tensors as a CF Dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from crest_core.clock import Clock, to_xarray_time
from crest_core.component import Tensors
from crest_core.fields import FieldSpec
from crest_core.graph import Graph


def to_dataset(graph: Graph, outputs: Tensors, clock: Clock, lead: tuple[str, ...]) -> xr.Dataset:
    """Return outputs (time, *lead, *dims) as a Dataset: time is the start of each interval, with time_bnds.

    Point values hold at the end of the interval, which the auxiliary coordinate time_end gives.
    """
    data = {}
    for spec in graph.outputs:
        if spec.name in outputs:
            dims = ("time", *lead, *_dims_in_files(graph, spec))
            data[spec.name] = (dims, outputs[spec.name].detach().cpu().numpy(), _attributes(graph, spec))
    return xr.Dataset(data, coords={**_time_coordinates(clock), **_layer_coordinates(graph)})


def finish(dataset: xr.Dataset, source: xr.Dataset, record: Mapping[str, Any]) -> xr.Dataset:
    """Return the Dataset with the coordinates of the forcing's places, CF and provenance attributes."""
    kept = {}
    for name, value in source.coords.items():
        if name not in dataset.coords and set(value.dims) <= set(dataset.dims) - {"time"}:
            kept[name] = value
    text = {name: str(value) for name, value in record.items()}
    text["versions"] = json.dumps(record["versions"], sort_keys=True)
    return dataset.assign_coords(kept).assign_attrs(
        Conventions="CF-1.11",
        title="CREST simulation",
        source=f"crest-core {record['versions'].get('crest-core', '')}".strip(),
        history=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} simulated by CREST",
        **text,
    )


def _attributes(graph: Graph, spec: FieldSpec) -> dict[str, str]:
    """Return CF attributes; only names of the CF table are standard names."""
    entry = graph.dictionary.get(spec.standard_name)
    attributes = {
        "standard_name": entry.standard_name if entry is not None and entry.cf else "",
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
    name = {"standard_name": "time"}
    start = {**name, "long_name": "start of interval", "bounds": "time_bnds", "axis": "T"}
    return {
        "time": xr.Variable("time", bounds[:, 0], start, encoding),
        "time_end": xr.Variable("time", bounds[:, 1], {**name, "long_name": "end of interval"}, encoding),
        "time_bnds": (("time", "bnds"), bounds, {}, encoding),
    }


def _layer_coordinates(graph: Graph) -> dict[str, Any]:
    """Return depth and depth bounds [m] of the layered dims."""
    found: dict[str, Any] = {}
    for dim, layers in graph.layers.items():
        bounds = np.asarray(layers, dtype=float)
        attributes = {"standard_name": "depth", "units": "m", "positive": "down", "bounds": f"{dim}_bnds"}
        attributes |= {"axis": "Z", "long_name": f"depth of the middle of the {dim.replace('_', ' ')}"}
        found |= {dim: (dim, bounds.mean(axis=1), attributes), f"{dim}_bnds": ((dim, "bnds"), bounds)}
    return found


def _dims_in_files(graph: Graph, spec: FieldSpec) -> tuple[str, ...]:
    """Return the dims of an output in a Dataset; those of a named grid carry its name."""
    grid = graph.components[graph.output_ports[spec.name].component].grid
    own = graph.grids[grid].dims if grid else ()
    return tuple(f"{dim}_{grid}" if dim in own else dim for dim in spec.dims)
