"""BlackBoxComponent: a step in any language, put on the gradient tape by a gradient strategy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from crest_core.component import StepComponent, Tensors
from crest_core.errors import ComponentError, GradientError
from crest_core.fields import HORIZONTAL, FieldSpec
from crest_core.gradients import Evaluation, Gradient, NoGradient
from crest_core.parameters import PhysicalParameters


class BlackBoxComponent(StepComponent):
    """A pure function outside torch; its author writes `evaluate` on detached float64 tensors.

    States stay float64; outputs come back in the number type of the inputs. Fields without a horizontal dim
    (shared parameters, constants) arrive spread over all columns, so that each column has its own copy.
    """

    independent_columns: bool = True

    def __init__(self, *, gradient: Gradient, parameters: Mapping[str, float | Tensor] | None = None) -> None:
        super().__init__()
        self.gradient = gradient
        self.physical = PhysicalParameters(self.parameter_specs, parameters or {})
        if self.opaque and not isinstance(gradient, NoGradient):
            raise GradientError(
                f"{type(self).__name__} hides its state (opaque) and can have no gradient; "
                f"expected NoGradient(), got {type(gradient).__name__}"
            )

    @property
    def gradient_policy(self) -> str:
        """Return the policy of the gradient strategy."""
        return self.gradient.policy

    @abstractmethod
    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return (outputs, new state), all float64 (*lead, *dims); leading dims must pass through."""

    def pullback(
        self, state: Tensors, inputs: Tensors, parameters: Tensors, outputs: Tensors, new_state: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        """Return gradients (state, inputs, parameters) for cotangents of outputs and new state."""
        raise GradientError(f"{type(self).__name__} has no pullback(); write one or use FiniteDifference()")

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one timestep, with the gradient of the strategy."""
        working = next(iter(inputs.values())).dtype if inputs else torch.get_default_dtype()
        arguments = self._arguments(state, inputs)
        call = self._evaluation()
        if isinstance(self.gradient, NoGradient):
            with torch.no_grad():
                results = call.function([x.detach() for x in arguments])
        else:
            results = list(_Tape.apply(call, self.gradient, *arguments))
        for spec, value in zip(call.results, results, strict=True):
            check_values(spec, value, time)
        names = [spec.name for spec in self.outputs]
        outputs = {k: v.to(working) for k, v in zip(names, results[: len(names)], strict=True)}
        memory = [spec.name for spec in self.states]
        return outputs, dict(zip(memory, results[len(names) :], strict=True))

    def _arguments(self, state: Tensors, inputs: Tensors) -> list[Tensor]:
        """Return states, inputs and parameters in float64, all with the same leads and columns."""
        named = [(spec, state[spec.name]) for spec in self.states]
        named += [(spec, inputs[spec.name]) for spec in self.inputs]
        physical = self.physical.values()
        named += [(spec, physical[spec.name]) for spec in self.parameter_specs]
        lead: tuple[int, ...] = ()
        columns: tuple[int, ...] = ()
        for spec, value in named:
            own = len(spec.dims) + (spec.window > 1)
            lead = tuple(torch.broadcast_shapes(lead, value.shape[: value.dim() - own]))
            flat = _columns(spec)
            columns = tuple(value.shape[value.dim() - flat :]) if flat else columns
        return [_spread(spec, value.double(), lead, columns) for spec, value in named]

    def _evaluation(self) -> Evaluation:
        parts = (self.states, self.inputs, self.parameter_specs)

        def function(arguments: list[Tensor]) -> list[Tensor]:
            state, inputs, parameters = _split(parts, arguments)
            outputs, new_state = self.evaluate(state, inputs, parameters)
            return [outputs[s.name] for s in self.outputs] + [new_state[s.name] for s in self.states]

        def pull(arguments: list[Tensor], cotangents: list[Tensor]) -> list[Tensor]:
            outputs, new_state = _split((self.outputs, self.states), cotangents)
            state, inputs, parameters = _split(parts, arguments)
            grads = self.pullback(state, inputs, parameters, outputs, new_state)
            return [g[s.name] for specs, g in zip(parts, grads, strict=True) for s in specs]

        spread = tuple(_as_columns(spec, self._horizontal()) for part in parts for spec in part)
        return Evaluation(function, spread, self.outputs + self.states, self.independent_columns, pull)

    def _horizontal(self) -> tuple[str, ...]:
        for spec in (*self.inputs, *self.states, *self.outputs):
            if _columns(spec):
                return tuple(name for name in spec.dims if name in HORIZONTAL)
        return ("cell",)


class _Tape(torch.autograd.Function):
    """One call of a black box on the tape."""

    @staticmethod
    def forward(ctx: Any, call: Evaluation, gradient: Gradient, *arguments: Tensor) -> Any:
        ctx.call, ctx.gradient = call, gradient
        ctx.save_for_backward(*arguments)
        return tuple(call.function([x.detach() for x in arguments]))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        needed = ctx.needs_input_grad[2:]
        found = ctx.gradient.vjp(ctx.call, list(ctx.saved_tensors), needed, list(cotangents))
        return (None, None, *found)


def check_values(spec: FieldSpec, value: Tensor, time: Any) -> None:
    """Raise ComponentError with field, cell and time where a value is not finite or out of bounds."""
    low, high = spec.bounds or (float("-inf"), float("inf"))
    slack = 1e-9 * (high - low) if spec.bounds else 0.0
    values = value.detach()
    good = torch.isfinite(values) & (values >= low - slack) & (values <= high + slack)
    if bool(good.all()):
        return
    index = tuple(int(i) for i in (~good).nonzero()[0])
    where = ", ".join(str(i) for i in index)
    expected = f"finite and within {spec.bounds}" if spec.bounds else "a finite number"
    raise ComponentError(
        f"field {spec.name} [{spec.units}] at {time}, index ({where}) of "
        f"(*lead, {', '.join(spec.dims)}): expected {expected}, got {float(values[index])}"
    )


def _columns(spec: FieldSpec) -> int:
    return sum(name in HORIZONTAL for name in spec.dims)


def _as_columns(spec: FieldSpec, horizontal: tuple[str, ...]) -> FieldSpec:
    window = ("window",) if spec.window > 1 else ()
    dims = spec.dims if _columns(spec) else (*spec.dims, *horizontal)
    return replace(spec, dims=(*window, *dims))


def _spread(spec: FieldSpec, value: Tensor, lead: tuple[int, ...], columns: tuple[int, ...]) -> Tensor:
    count = len(spec.dims) + (spec.window > 1)
    own = tuple(value.shape[value.dim() - count :]) if count else ()
    if not _columns(spec):
        value = value.reshape(*value.shape, *[1] * len(columns))
        own = (*own, *columns)
    return value.expand(*lead, *own)


def _split(parts: Sequence[tuple[FieldSpec, ...]], values: list[Tensor]) -> list[Tensors]:
    remaining = iter(values)
    return [{spec.name: next(remaining) for spec in part} for part in parts]
