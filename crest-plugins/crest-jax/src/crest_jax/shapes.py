"""Shapes that a component's results will have, from its fields: JAX has to know them before torch runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from crest_core import Component, FieldError, FieldSpec, Graph

Shapes = dict[str, jax.ShapeDtypeStruct]


def result_shapes(
    component: Component, state: Mapping[str, Any], inputs: Mapping[str, Any], sizes: Mapping[str, int]
) -> tuple[Shapes, Shapes]:
    """Return shapes and number types of outputs (time, *lead, *dims) and new state, which has those of the old."""
    moving = [spec for spec in component.inputs if not spec.static]
    if not moving:
        raise FieldError(f"{type(component).__name__} has no input with a time axis: its number of steps is not known")
    known = dict(sizes) | dict(component.dim_sizes)
    leads = set()
    for spec in component.inputs:
        shape = inputs[spec.name].shape
        before = 0 if spec.static else 1 + (spec.window > 1)
        if len(shape) < before + len(spec.dims):
            raise FieldError(
                f"input {spec.name}: expected (time, *lead, {', '.join(spec.dims)}), static ones without time, got "
                f"{shape}"
            )
        own = len(shape) - len(spec.dims)
        known = dict(zip(spec.dims, shape[own:], strict=True)) | known
        leads.add(shape[before:own])
    steps, lead = inputs[moving[0].name].shape[0], np.broadcast_shapes(*leads)
    kind = jnp.result_type(*(inputs[spec.name].dtype for spec in moving))
    outputs = {}
    for spec in component.outputs:
        places = known | _grid_sizes(component, spec)
        lost = [name for name in spec.dims if name not in places]
        if lost:
            raise FieldError(f"output {spec.name}: the sizes of {lost} are not known from the inputs; give sizes=")
        outputs[spec.name] = jax.ShapeDtypeStruct((steps, *lead, *(places[name] for name in spec.dims)), kind)
    return outputs, {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in state.items()}


def _grid_sizes(component: Component, spec: FieldSpec) -> dict[str, int]:
    """Return the sizes of the grid that an output of a graph lies on, where that is not the grid of the run."""
    if not isinstance(component, Graph):
        return {}
    grid = component.components[component.output_ports[spec.name].component].grid
    return dict(component.grids[grid].sizes) if grid else {}
