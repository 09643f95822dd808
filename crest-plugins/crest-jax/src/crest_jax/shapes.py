"""Shapes that a component's results will have, from its fields: JAX has to know them before torch runs.

What is given is compared with the fields here, where a word about it is still one line: an error inside a callback of
JAX comes with forty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from crest_core import Component, FieldError, FieldSpec, Graph

Shapes = dict[str, jax.ShapeDtypeStruct]
_ARRAYS = (jax.Array, np.ndarray, np.generic, int, float)


def check_groups(component: Component, parameters: Any, state: Any, inputs: Any) -> None:
    """Raise FieldError for what is no dict of arrays by the names that the component has."""
    kind = type(component).__name__
    known = {
        "parameters": {name for name, _ in component.named_parameters()},
        "state": {spec.name for spec in component.states},
        "inputs": {spec.name for spec in component.inputs},
    }
    for (what, names), group in zip(known.items(), (parameters, state, inputs), strict=True):
        if not isinstance(group, Mapping):
            raise FieldError(f"{what} of {kind}: expected a dict of arrays by name, got {type(group).__name__}")
        missing = sorted(names - set(group)) if what != "parameters" else []
        unknown = sorted(set(group) - names, key=str)
        if missing or unknown:
            raise FieldError(f"{what} of {kind}: missing {missing}, unknown {unknown}; expected {sorted(names)}")
        for name, value in group.items():
            if not isinstance(value, _ARRAYS):
                raise FieldError(
                    f"{what} of {kind} [{name}]: expected an array of JAX or NumPy, got {type(value).__name__}; "
                    f"tensors are made arrays by jax_values"
                )


def result_shapes(
    component: Component,
    parameters: Mapping[str, Any],
    state: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    sizes: Mapping[str, int],
    times: Sequence[Any] | None,
) -> tuple[Shapes, Shapes]:
    """Return shapes and number types of outputs (time, *lead, *dims) and new state, which has those of the old."""
    moving = [spec for spec in component.inputs if not spec.static]
    if not moving:
        raise FieldError(f"{type(component).__name__} has no input with a time axis: its number of steps is not known")
    fixed = dict(sizes) | dict(component.dim_sizes)
    known, lead = _input_sizes(component, inputs, fixed)
    steps = _steps({spec.name: inputs[spec.name].shape[0] for spec in moving}, times)
    for name, value in component.named_parameters():
        if name in parameters:
            _check_real("parameter", name, parameters[name])
            if parameters[name].shape != tuple(value.shape):
                raise FieldError(
                    f"parameter {name}: expected the shape {tuple(value.shape)}, got {parameters[name].shape}"
                )
    for spec in moving:
        _check_real("input", spec.name, inputs[spec.name])
    kind = jnp.result_type(*(inputs[spec.name].dtype for spec in moving))
    for spec in component.states:
        _check_state(spec, state[spec.name], {} if _has_grids(component) else known, lead, kind)
    outputs = {}
    for spec in component.outputs:
        places = known | _grid_sizes(component, spec)
        lost = [name for name in spec.dims if name not in places]
        if lost:
            raise FieldError(f"output {spec.name}: the sizes of {lost} are not known from the inputs; give sizes=")
        outputs[spec.name] = jax.ShapeDtypeStruct((steps, *lead, *(places[name] for name in spec.dims)), kind)
    return outputs, {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in state.items()}


def _input_sizes(
    component: Component, inputs: Mapping[str, Any], fixed: Mapping[str, int]
) -> tuple[dict[str, int], tuple[int, ...]]:
    """Return the sizes of the dims that are named, and the leading ones."""
    known, leads = dict(fixed), {}
    for spec in component.inputs:
        shape = inputs[spec.name].shape
        before = 0 if spec.static else 1 + (spec.window > 1)
        own = len(shape) - len(spec.dims)
        if own < before or (before == 2 and shape[1] != spec.window):
            window = f"{spec.window}, " if spec.window > 1 else ""
            raise FieldError(
                f"input {spec.name}: expected (time, {window}*lead, {', '.join(spec.dims)}), static ones without time, "
                f"got {shape}"
            )
        for name, size in zip(spec.dims, shape[own:], strict=True):
            if known.setdefault(name, size) != size and not _has_grids(component):
                raise FieldError(f"input {spec.name}: expected {known[name]} of {name}, as before, got {size}")
        leads[spec.name] = shape[before:own]
    try:
        return known, np.broadcast_shapes(*leads.values())
    except ValueError as error:
        raise FieldError(f"inputs: their leading dims do not fit each other: {leads}") from error


def _steps(lengths: Mapping[str, int], times: Sequence[Any] | None) -> int:
    first, steps = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != steps:
            raise FieldError(f"input {name} has {length} time steps, input {first} has {steps}; expected the same")
    if times is not None and len(times) != steps:
        raise FieldError(f"input {first} has {steps} time steps, times has {len(times)}; expected the same")
    return steps


def _check_state(spec: FieldSpec, value: Any, known: Mapping[str, int], lead: tuple[int, ...], kind: Any) -> None:
    expected = (*lead, *(known.get(name, name) for name in spec.dims))
    fits = len(value.shape) == len(expected) and all(
        size == want or isinstance(want, str) for size, want in zip(value.shape, expected, strict=True)
    )
    if not fits:
        raise FieldError(f"state {spec.name}: expected the shape ({', '.join(map(str, expected))}), got {value.shape}")
    if value.dtype != kind:
        raise FieldError(f"state {spec.name}: expected {kind}, as the inputs have, got {value.dtype}")


def _check_real(what: str, name: str, value: Any) -> None:
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise FieldError(f"{what} {name}: expected real numbers, got {value.dtype}; use .astype(float)")


def _has_grids(component: Component) -> bool:
    """Return whether one name of a dim may have several sizes."""
    return isinstance(component, Graph) and bool(component.grids)


def _grid_sizes(component: Component, spec: FieldSpec) -> dict[str, int]:
    """Return the sizes of the grid that an output of a graph lies on, where that is not the grid of the run."""
    if not isinstance(component, Graph):
        return {}
    grid = component.components[component.output_ports[spec.name].component].grid
    return dict(component.grids[grid].sizes) if grid else {}
