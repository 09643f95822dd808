"""BlackBoxComponent: a step in any language, put on the gradient tape by a gradient strategy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
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
        call, arguments = self._evaluation(), self._arguments(state, inputs)
        if isinstance(self.gradient, NoGradient):
            results = call.function([x.detach() for x in arguments])
        else:
            results = _Tape.apply(call, self.gradient, *arguments)
        for spec, value in zip(call.results, results, strict=True):
            check_values(spec, value, time)
        outputs, new_state = _split((self.outputs, self.states), results)
        return {name: value.to(working) for name, value in outputs.items()}, new_state

    def _arguments(self, state: Tensors, inputs: Tensors) -> list[Tensor]:
        """Return states, inputs and parameters in float64, all with the same leading dims and columns."""
        named = [(spec, state[spec.name]) for spec in self.states]
        named += [(spec, _window_after_lead(spec, inputs[spec.name])) for spec in self.inputs]
        physical = self.physical.values()
        named += [(spec, physical[spec.name]) for spec in self.parameter_specs]
        lead: tuple[int, ...] = ()
        columns: tuple[int, ...] = ()
        for spec, value in named:
            first = value.dim() - len(spec.dims) - (spec.window > 1)
            lead = tuple(torch.broadcast_shapes(lead, value.shape[:first]))
            flat = sum(name in HORIZONTAL for name in spec.dims)
            columns = tuple(value.shape[value.dim() - flat :]) if flat else columns
        return [_spread(spec, value.double(), lead, columns) for spec, value in named]

    def _evaluation(self) -> Evaluation:
        parts = (self.states, self.inputs, self.parameter_specs)
        fields = [spec for part in parts for spec in part]
        horizontal = next((tuple(d for d in s.dims if d in HORIZONTAL) for s in fields if _is_column(s)), ("cell",))

        def function(arguments: list[Tensor]) -> list[Tensor]:
            outputs, new_state = self.evaluate(*_split(parts, arguments))
            return [outputs[s.name] for s in self.outputs] + [new_state[s.name] for s in self.states]

        def pull(arguments: list[Tensor], cotangents: list[Tensor]) -> list[Tensor]:
            grads = self.pullback(*_split(parts, arguments), *_split((self.outputs, self.states), cotangents))
            return [found[spec.name] for specs, found in zip(parts, grads, strict=True) for spec in specs]

        spread = []
        for spec in fields:
            dims = spec.dims if _is_column(spec) else (*spec.dims, *horizontal)
            spread.append(replace(spec, dims=("window", *dims) if spec.window > 1 else dims))
        return Evaluation(function, tuple(spread), self.outputs + self.states, self.independent_columns, pull)


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
        found = ctx.gradient.vjp(ctx.call, list(ctx.saved_tensors), ctx.needs_input_grad[2:], list(cotangents))
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
    names = (*["lead"] * (len(index) - len(spec.dims)), *spec.dims)
    where = ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))
    expected = f"finite and within {spec.bounds}" if spec.bounds else "a finite number"
    raise ComponentError(
        f"field {spec.name} [{spec.units}] at {time}, {where}: expected {expected}, got {float(values[index])}"
    )


def _is_column(spec: FieldSpec) -> bool:
    return any(name in HORIZONTAL for name in spec.dims)


def _window_after_lead(spec: FieldSpec, value: Tensor) -> Tensor:
    """Return (*lead, window, *dims) of what a graph hands over as (window, *lead, *dims)."""
    return value.movedim(0, value.dim() - len(spec.dims) - 1) if spec.window > 1 else value


def _spread(spec: FieldSpec, value: Tensor, lead: tuple[int, ...], columns: tuple[int, ...]) -> Tensor:
    """Return a value with all leading dims, and with columns where its field has none."""
    own = tuple(value.shape[value.dim() - len(spec.dims) - (spec.window > 1) :])
    if not _is_column(spec):
        value, own = value.reshape(*value.shape, *[1] * len(columns)), (*own, *columns)
    return value.expand(*lead, *own)


def _split(parts: Sequence[tuple[FieldSpec, ...]], values: Iterable[Tensor]) -> list[Tensors]:
    remaining = iter(values)
    return [{spec.name: next(remaining) for spec in part} for part in parts]
