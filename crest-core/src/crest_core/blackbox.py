"""BlackBoxComponent: a step in any language, put on the gradient tape by a gradient strategy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from math import inf, isfinite, prod
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
    (shared parameters, constants) arrive spread over all columns, so that each column has its own copy; a window
    stands right before a field's own dims.
    """

    independent_columns: bool = True

    def __init__(self, *, gradient: Gradient, parameters: Mapping[str, float | Tensor] | None = None) -> None:
        super().__init__()
        self.gradient, self.gradient_policy = gradient, gradient.policy
        self.physical = PhysicalParameters(self.parameter_specs, parameters or {})
        if self.opaque and not isinstance(gradient, NoGradient):
            raise GradientError(
                f"{type(self).__name__} hides its state (opaque) and can have no gradient; expected NoGradient(), got "
                f"{type(gradient).__name__}"
            )

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
        for spec in self.inputs:  # outside its bounds a difference quotient would be wrong
            check_values(spec, inputs[spec.name], time)
        call = _Call(self, state, inputs)
        x = call.packed()
        blocked = isinstance(self.gradient, NoGradient) or not x.requires_grad
        y = call.run(x.detach()) if blocked else _Tape.apply(x, call)
        outputs, new_state = call.results(y)
        for spec in self.outputs + self.states:
            check_values(spec, (outputs if spec in self.outputs else new_state)[spec.name], time)
        kept = {name: value.contiguous() for name, value in new_state.items()}  # as a restart has it
        return {name: value.to(working) for name, value in outputs.items()}, kept


class _Tape(torch.autograd.Function):
    """One call of a black box on the tape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, call: _Call) -> Tensor:
        ctx.call = call
        ctx.save_for_backward(x)
        return call.run(x.detach())

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        if torch.is_grad_enabled():
            name = type(ctx.call.component).__name__
            raise GradientError(f"{name} is a black box and has first derivatives only; leave out create_graph=True")
        call: _Call = ctx.call
        return call.component.gradient.vjp(call.evaluation(), ctx.saved_tensors[0], cotangent), None


class _Call:
    """One step's arguments as a tensor (*lead, rows, columns), and back; rows are the scalars of a column."""

    def __init__(self, component: BlackBoxComponent, state: Tensors, inputs: Tensors) -> None:
        self.component = component
        self.groups = (component.states, component.inputs, component.parameter_specs)
        self.specs = [spec for group in self.groups for spec in group]
        physical = component.physical.values(torch.float64)
        values = [source[spec.name] for source, group in zip((state, inputs, physical), self.groups, strict=True)
                  for spec in group]  # fmt: skip
        owns = [min(v.dim(), len(s.dims) + (s.window > 1)) for v, s in zip(values, self.specs, strict=True)]
        for i, spec in enumerate(self.specs):
            if spec.window > 1:  # a graph hands over (window, *lead, *dims)
                values[i] = values[i].movedim(0, values[i].dim() - owns[i])
        pairs = list(zip(values, owns, strict=True))
        self.lead = torch.broadcast_shapes(*{value.shape[: value.dim() - own] for value, own in pairs})
        flats = [
            min(own, sum(name in HORIZONTAL for name in spec.dims)) for spec, own in zip(self.specs, owns, strict=True)
        ]
        self.columns = next((v.shape[v.dim() - flat :] for v, flat in zip(values, flats, strict=True) if flat), ())
        self.width = prod(self.columns) if component.independent_columns else 1
        self.values, self.shapes = [], []
        for (value, own), flat in zip(pairs, flats, strict=True):
            shape = tuple(value.shape[value.dim() - own :])
            if not flat:  # the same for all columns: each gets its own copy
                value, shape = value.reshape(*value.shape, *[1] * len(self.columns)), (*shape, *self.columns)
            self.values.append(value.double().expand(*self.lead, *shape))
            self.shapes.append(shape)
        self.results_shapes: list[tuple[int, ...]] = []

    def packed(self) -> Tensor:
        return torch.cat([value.reshape(*self.lead, -1, self.width) for value in self.values], dim=-2)

    def run(self, x: Tensor) -> Tensor:
        """Return outputs and new state of arguments x (*lead, rows, columns), packed alike."""
        lead = x.shape[:-2]
        state, inputs, parameters = _unpack(x, self.groups, self.shapes, self.width)
        outputs, new_state = self.component.evaluate(state, inputs, parameters)
        values = [outputs[spec.name] for spec in self.component.outputs]
        values += [new_state[spec.name] for spec in self.component.states]
        self.results_shapes = [tuple(value.shape[len(lead) :]) for value in values]
        return torch.cat([value.reshape(*lead, -1, self.width) for value in values], dim=-2)

    def results(self, y: Tensor) -> list[Tensors]:
        return _unpack(y, (self.component.outputs, self.component.states), self.results_shapes, self.width)

    def evaluation(self) -> Evaluation:
        rows = [prod(shape) // self.width for shape in self.shapes]
        bounds = [
            spec.bounds or (-inf, inf) for spec, count in zip(self.specs, rows, strict=True) for _ in range(count)
        ]
        asked = [value.requires_grad for value, count in zip(self.values, rows, strict=True) for _ in range(count)]
        low, high = torch.tensor(bounds, dtype=torch.float64).unsqueeze(-1).unbind(1)
        return Evaluation(self.run, self.pull, torch.tensor(asked).nonzero().squeeze(1), low, high)

    def pull(self, x: Tensor, cotangent: Tensor) -> Tensor:
        """Return what the component's own pullback returns, packed."""
        outputs, new_state = self.results(cotangent)
        state, inputs, parameters = _unpack(x, self.groups, self.shapes, self.width)
        found = self.component.pullback(state, inputs, parameters, outputs, new_state)
        values = [part[spec.name] for part, group in zip(found, self.groups, strict=True) for spec in group]
        return torch.cat([value.reshape(*x.shape[:-2], -1, self.width) for value in values], dim=-2)


def check_values(spec: FieldSpec, value: Tensor, time: Any) -> None:
    """Raise ComponentError with field, cell and time where a value is not finite or out of bounds."""
    low, high = spec.bounds or (-inf, inf)
    slack = 1e-9 * (high - low) if isfinite(high - low) else 0.0
    values = value.detach()
    smallest, largest = (float(end) for end in torch.aminmax(values)) if values.numel() else (0.0, 0.0)
    if low - slack <= smallest and largest <= high + slack and isfinite(smallest) and isfinite(largest):
        return
    good = torch.isfinite(values) & (values >= low - slack) & (values <= high + slack)
    index = tuple(int(i) for i in (~good).nonzero()[0])
    names = (*["lead"] * (len(index) - len(spec.dims)), *spec.dims)
    where = ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))
    expected = f"finite and within {spec.bounds}" if spec.bounds else "a finite number"
    got = float(values[index])
    raise ComponentError(f"field {spec.name} [{spec.units}] at {time}, {where}: expected {expected}, got {got}")


def _unpack(
    x: Tensor, groups: Sequence[Sequence[FieldSpec]], shapes: Sequence[Sequence[int]], width: int
) -> list[Tensors]:
    """Return the fields of each group from (*lead, rows, width)."""
    parts = x.split([prod(shape) // width for shape in shapes], dim=-2) if shapes else ()
    values = (part.reshape(*x.shape[:-2], *shape) for part, shape in zip(parts, shapes, strict=True))
    return [{spec.name: next(values) for spec in group} for group in groups]
