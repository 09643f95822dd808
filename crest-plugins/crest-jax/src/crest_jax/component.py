"""jax_component: a pure JAX function on packed arrays as a component, by the tensor maps of the backend "torch"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crest_core import Component, FieldSpec, TensorMap
from crest_core.plugins import registry
from crest_jax.module import Function, JaxModule, check_arguments


def jax_component(
    function: Function,
    *,
    parameters: Any,
    inputs: Sequence[FieldSpec],
    outputs: Sequence[FieldSpec],
    input_maps: Sequence[TensorMap],
    output_maps: Sequence[TensorMap],
    states: Sequence[FieldSpec] = (),
    state_maps: Sequence[TensorMap] = (),
    state_argument: str = "hx",
    dim_sizes: Mapping[str, int] | None = None,
    timestep: str = "1D",
    weights: str | Path | None = None,
) -> Component:
    """Return a component around `function(parameters, **arrays)`, which returns an array for each output map.

    With `state_maps` the function also gets `state_argument`, an array or a tuple of them, and returns
    `(result, new state)`. All else is as in TorchComponent, which it is: maps, weights files, restart. The function
    must be pure and causal, and is compiled once for every shape, so also for every number of time steps.

    >>> import jax.numpy as jnp, torch
    >>> rain, runoff = FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="runoff", units="mm day-1")
    >>> model = jax_component(
    ...     lambda p, x: p["share"] * x, parameters={"share": 0.5}, inputs=(rain,), outputs=(runoff,),
    ...     input_maps=(TensorMap("x", ("rain",)),), output_maps=(TensorMap("y", ("runoff",)),),
    ... )
    >>> model({}, {"rain": torch.full((2, 1), 6.0)}, range(2))[0]["runoff"].tolist()
    [[3.0], [3.0]]
    """
    check_arguments(function, 1, [item.name for item in input_maps] + ([state_argument] if states else []))
    wrap = registry().load("backends", "torch")
    component: Component = wrap(
        JaxModule(function, parameters),
        inputs=inputs,
        outputs=outputs,
        states=states,
        input_maps=input_maps,
        output_maps=output_maps,
        state_maps=state_maps,
        state_argument=state_argument,
        dim_sizes=dim_sizes,
        timestep=timestep,
        weights=weights,
    )
    return component
