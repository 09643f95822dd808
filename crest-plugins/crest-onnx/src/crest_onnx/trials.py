"""Random tensors as the maps of a component pack them, to compare two ways to compute a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

import torch
from torch import Tensor

from crest_core import FieldSpec, TensorMap
from crest_onnx.layout import Layout
from crest_onnx.mapping import FieldMapping


def trial_sizes(mapping: FieldMapping, steps: int, columns: int, length: int) -> dict[str, int]:
    """Return sizes of time and of every dim: those of the component, `columns` for cells, `length` for others."""
    dims = [name for spec in (*mapping.inputs, *mapping.outputs, *mapping.states) for name in spec.dims]
    return {**dict.fromkeys(dims, length), "cell": columns, **mapping.dim_sizes, "time": steps}


def fixed_sizes(mapping: FieldMapping, shapes: Mapping[str, tuple[int | None, ...] | None]) -> dict[str, int]:
    """Return the sizes of time and dims that the shapes of a graph fix; merged axes give theirs to the last dim."""
    specs = {spec.name: spec for spec in (*mapping.inputs, *mapping.states)}
    found: dict[str, int] = {}
    for item in (*mapping.input_maps, *mapping.state_maps):
        declared, axes = shapes[item.name], Layout.of(item).axes
        if declared is None or len(declared) != len(axes):
            continue
        hidden = [name for name in specs[item.fields[0]].dims if name not in item.axes]  # what ... stands for
        for axis, size in zip(axes, declared, strict=True):
            inside = [own for name in axis for own in (hidden if name == "..." else [name])]
            free = [name for name in inside if name not in ("field", "window", *mapping.dim_sizes)]
            if size is not None and free:
                found |= {**dict.fromkeys(free, 1), free[-1]: size}
    return found


def random_tensors(
    mapping: FieldMapping, sizes: Mapping[str, int], generator: torch.Generator, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the packed inputs, then the packed state, of random fields."""
    static = {spec.name for spec in mapping.inputs if spec.static}
    inputs, states = ({spec.name: spec for spec in specs} for specs in (mapping.inputs, mapping.states))
    packed = {}
    for specs, maps in ((inputs, mapping.input_maps), (states, mapping.state_maps)):
        for item in maps:
            own = replace(item, static=tuple(name for name in item.fields if name in static and specs is inputs))
            fields = {}
            for name in item.fields:
                spec = specs[name]
                before = () if spec.static or specs is states else (sizes["time"],)
                shape = (*before, *((spec.window,) if spec.window > 1 else ()), *(sizes[dim] for dim in spec.dims))
                fields[name] = _random(spec, own, shape, generator).to(dtype)
            packed[item.name] = own.pack(fields)[0]
    return packed


def _random(spec: FieldSpec, item: TensorMap, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return values around the mean of the field's scaling, within its bounds, or standard normal ones."""
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    if item.scale:
        return item.scale.mean[spec.name] + item.scale.std[spec.name] * noise
    if spec.bounds and isfinite(spec.bounds[1] - spec.bounds[0]):
        return spec.bounds[0] + (spec.bounds[1] - spec.bounds[0]) * torch.sigmoid(noise)
    return noise
