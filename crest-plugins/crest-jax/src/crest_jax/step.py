"""JaxStepComponent: a process model written as one step in JAX; whole sequences are one compiled scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import torch
from torch import Tensor

from crest_core import Component, FieldError, FieldSpec, PhysicalParameters, Sizes, Tensors
from crest_jax.module import Function, check_arguments, name_of
from crest_jax.results import with_shapes_checked
from crest_jax.tape import Compiled


class JaxStepComponent(Component):
    """A component around `step(parameters, state, inputs) -> (outputs, new state)`, dicts of arrays by field name.

    Arrays have the shapes of `Component.step`: (*lead, *dims), a window first. Inside a feedback loop `step` is called
    once a time step; otherwise `jax.lax.scan` runs the whole sequence, compiled once for every length. Parameters have
    units and bounds, which they keep while they are trained. A state starts at its value in `initial`, or zero.

    >>> runoff = FieldSpec(name="runoff", units="mm day-1")
    >>> flow = FieldSpec(name="streamflow", units="mm day-1")
    >>> water = FieldSpec(name="stored", units="mm", cell_methods="time: point")
    >>> share = FieldSpec(name="share", units="day-1", dims=(), static=True, bounds=(0.0, 1.0))
    >>> def reservoir(parameters, state, inputs):
    ...     stored = state["stored"] + inputs["runoff"]
    ...     flow = parameters["share"] * stored
    ...     return {"streamflow": flow}, {"stored": stored - flow}
    >>> model = JaxStepComponent(
    ...     reservoir, inputs=(runoff,), outputs=(flow,), states=(water,), initial={"stored": 4.0},
    ...     parameter_specs=(share,), parameters={"share": 0.5},
    ... )
    >>> state = model.initial_state(Sizes({"cell": 1}))
    >>> model(state, {"runoff": torch.zeros(3, 1)}, range(3))[0]["streamflow"].flatten().tolist()
    [2.0, 1.0, 0.5]
    """

    def __init__(
        self,
        step: Function,
        *,
        inputs: Sequence[FieldSpec],
        outputs: Sequence[FieldSpec],
        states: Sequence[FieldSpec] = (),
        initial: Mapping[str, float] | None = None,
        parameter_specs: Sequence[FieldSpec] = (),
        parameters: Mapping[str, float | Tensor] | None = None,
        dim_sizes: Mapping[str, int] | None = None,
        timestep: str = "1D",
    ) -> None:
        super().__init__()
        check_arguments(step, 3, [])
        self.inputs, self.outputs, self.states = tuple(inputs), tuple(outputs), tuple(states)
        self.parameter_specs, self.timestep, self.dim_sizes = tuple(parameter_specs), timestep, dict(dim_sizes or {})
        self.initial = dict(initial or {})
        unknown = sorted(set(self.initial) - {spec.name for spec in self.states})
        if unknown:
            raise FieldError(f"initial: {unknown} are no states; states: {[spec.name for spec in self.states]}")
        self.physical = PhysicalParameters(self.parameter_specs, parameters or {})
        self.function_name = name_of(step)
        checked = with_shapes_checked(step, self.function_name, self)
        self._one_step = Compiled(checked, self.function_name)
        self._whole = Compiled(_scanned(checked), self.function_name)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the values of `initial`, zero for other states."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.full(spec, self.initial.get(spec.name, 0.0)) for spec in self.states}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return outputs and state of one compiled time step."""
        outputs, new_state = self._one_step(self._values(inputs), dict(state), dict(inputs))
        return outputs, new_state

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return outputs (time first) and the last state of one compiled scan."""
        static = {spec.name: inputs[spec.name] for spec in self.inputs if spec.static}
        moving = {spec.name: inputs[spec.name] for spec in self.inputs if not spec.static}
        outputs, new_state = self._whole(self._values(inputs), dict(state), static, moving)
        return outputs, new_state

    def extra_repr(self) -> str:
        """Return the name of the function and the initial values, for print and the graph hash."""
        return f"{self.function_name}, initial {self.initial}"

    def _values(self, inputs: Tensors) -> Tensors:
        """Return the parameters in the number type of the inputs."""
        kind = next((value.dtype for value in inputs.values()), torch.get_default_dtype())
        return self.physical.values(kind)


def _scanned(step: Function) -> Function:
    """Return the function that runs a step along the leading axis of the inputs that move."""

    def whole(parameters: Any, state: Any, static: Any, moving: Any) -> Any:
        def advance(state: Any, now: Any) -> Any:
            outputs, new_state = step(parameters, state, static | now)
            return new_state, outputs

        new_state, outputs = jax.lax.scan(advance, state, moving)
        return outputs, new_state

    return whole
