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
from crest_core.gradients import Evaluation, Gradient, NoGradient
from crest_core.parameters import PhysicalParameters
from crest_fields.fields import HORIZONTAL, FieldSpec

Groups = Sequence[Sequence[FieldSpec]]
SHAPES = 8  # of arguments, whose plans are kept


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
            ends = f"{type(self).__name__} hides its state (opaque) and can have no gradient"
            raise GradientError(f"{ends}; expected NoGradient(), got {type(gradient).__name__}")
        self._calls: dict[tuple[object, ...], _Call] = {}

    @abstractmethod
    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return (outputs, new state), all float64 (*lead, *dims); leading dims must pass through."""

    def pullback(
        self, state: Tensors, inputs: Tensors, parameters: Tensors, outputs: Tensors, new_state: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        """Return gradients (state, inputs, parameters) for cotangents of outputs and new state."""
        raise GradientError(f"{type(self).__name__} has no pullback(); write one or use FiniteDifference()")

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        working = next(iter(inputs.values())).dtype if inputs else torch.get_default_dtype()
        groups = (self.states, self.inputs, self.parameter_specs)
        values = _flat(groups, (state, inputs, self.physical.values(torch.float64)))
        key = (self.independent_columns, values[0].device, *(value.shape for value in values))
        call = self._calls.get(key) or self._planned(key, groups, values)
        x = call.packed(values)
        if not call.arguments.within_bounds(x.detach()):  # there a difference quotient would be wrong
            for spec in self.inputs:
                check_values(spec, inputs[spec.name], time)
        blocked = isinstance(self.gradient, NoGradient) or not x.requires_grad
        y = call.run(x.detach()) if blocked else _Tape.apply(x, call, [value.requires_grad for value in values])
        outputs, new_state = call.results.fields(y)
        if not call.results.within_bounds(y.detach()):
            for spec, value in zip(self.outputs + self.states, (*outputs.values(), *new_state.values()), strict=True):
                check_values(spec, value, time)
        kept = {name: value.contiguous() for name, value in new_state.items()}  # as a restart has it
        return {name: value.to(working) for name, value in outputs.items()}, kept

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies get: plans are made anew."""
        return {**self.__dict__, "_calls": {}}

    def _planned(self, key: tuple[object, ...], groups: Groups, values: Sequence[Tensor]) -> _Call:
        """Return the plan for arguments of new shapes, in place of the oldest where there are many."""
        for oldest in list(self._calls)[: 1 - SHAPES]:
            self._calls.pop(oldest, None)
        return self._calls.setdefault(key, _Call(self, groups, values))


class _Tape(torch.autograd.Function):
    """One call of a black box on the tape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, call: _Call, asked: list[bool]) -> Tensor:
        ctx.call, ctx.asked = call, asked
        ctx.save_for_backward(x)
        return call.run(x.detach())

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        call: _Call = ctx.call
        if torch.is_grad_enabled():
            name = type(call.component).__name__
            raise GradientError(f"{name} is a black box and has first derivatives only; leave out create_graph=True")
        rows = call.arguments
        needed = torch.tensor(ctx.asked).repeat_interleave(rows.counts).nonzero().squeeze(1).to(cotangent.device)
        evaluation = Evaluation(call.run, call.pull, needed, rows.low, rows.high)
        return call.component.gradient.vjp(evaluation, ctx.saved_tensors[0], cotangent), None, None


class _Rows:
    """Fields one below the other in tensors (*lead, rows, width); `shapes` are without leading dims."""

    def __init__(self, groups: Groups, shapes: Sequence[Sequence[int]], width: int, device: torch.device) -> None:
        self.groups, self.shapes, self.width = groups, shapes, width
        self.counts = torch.tensor([prod(shape) // width for shape in shapes])
        self.sizes = self.counts.tolist()
        ends = [(*(spec.bounds or (-inf, inf)), *_limits(spec)) for group in groups for spec in group]
        rows = torch.tensor(ends, dtype=torch.float64).repeat_interleave(self.counts, dim=0)
        self.low, self.high, self.least, self.most = rows.to(device).unsqueeze(-1).unbind(1)

    def packed(self, values: Sequence[Tensor], lead: Sequence[int]) -> Tensor:
        return torch.cat([value.reshape(*lead, -1, self.width) for value in values], dim=-2)

    def fields(self, x: Tensor) -> list[Tensors]:
        parts = zip(x.split_with_sizes(self.sizes, dim=-2), self.shapes, strict=True)
        values = (part.reshape(*x.shape[:-2], *shape) for part, shape in parts)
        return [{spec.name: next(values) for spec in group} for group in self.groups]

    def within_bounds(self, x: Tensor) -> bool:
        return torch.equal(x, x.clamp(self.least, self.most))  # nan equals nothing


class _Call:
    """What steps with arguments of the same shapes share: their arguments and results as rows, and back."""

    def __init__(self, component: BlackBoxComponent, groups: Groups, values: Sequence[Tensor]) -> None:
        self.component = component
        specs = [spec for group in groups for spec in group]
        flats = [min(v.dim(), sum(name in HORIZONTAL for name in s.dims)) for s, v in zip(specs, values, strict=True)]
        columns = next((v.shape[-flat:] for v, flat in zip(values, flats, strict=True) if flat), ())
        leads, shapes, views = [], [], []
        for spec, value, flat in zip(specs, values, flats, strict=True):
            first = max(value.dim() - len(spec.dims) - (spec.window > 1), 0)
            move = first if spec.window > 1 else 0  # a graph hands over (window, *lead, *dims)
            shape = value.movedim(0, move).shape if move else value.shape
            leads.append(shape[:first])
            shapes.append(shape[first:] if flat else (*shape[first:], *columns))  # each column gets its own copy
            views.append((move, shape if flat else (*shape, *[1] * len(columns))))
        self.lead = torch.broadcast_shapes(*leads)
        self.views = [(*view, (*self.lead, *shape)) for view, shape in zip(views, shapes, strict=True)]
        width = prod(columns) if component.independent_columns else 1
        self.arguments = _Rows(groups, shapes, width, values[0].device)
        results = (component.outputs, component.states)  # scalars, until the first run shows their shapes
        self.results = _Rows(results, [()] * sum(map(len, results)), width, values[0].device)

    def packed(self, values: Sequence[Tensor]) -> Tensor:
        spread = []
        for value, (move, view, full) in zip(values, self.views, strict=True):
            value = (value.movedim(0, move) if move else value).double()
            spread.append(value if value.shape == full else value.reshape(view).expand(full))
        return self.arguments.packed(spread, self.lead)

    def run(self, x: Tensor) -> Tensor:
        """Return outputs and new state of arguments x (*lead, rows, columns), packed alike."""
        lead, rows = x.shape[:-2], self.results
        values = _flat(rows.groups, self.component.evaluate(*self.arguments.fields(x)))
        shapes = [value.shape[len(lead) :] for value in values]
        if shapes != rows.shapes:
            self.results = rows = _Rows(rows.groups, shapes, rows.width, x.device)
        return rows.packed(values, lead)

    def pull(self, x: Tensor, cotangent: Tensor) -> Tensor:
        """Return what the component's own pullback returns, packed."""
        found = self.component.pullback(*self.arguments.fields(x), *self.results.fields(cotangent))
        return self.arguments.packed(_flat(self.arguments.groups, found), x.shape[:-2])


def check_values(spec: FieldSpec, value: Tensor, time: Any) -> None:
    """Raise ComponentError with field, cell and time where a value is not finite or out of bounds."""
    values = value.detach().double()
    for index in (values != values.clamp(*_limits(spec))).nonzero()[:1].tolist():
        names = (*["lead"] * (len(index) - len(spec.dims)), *spec.dims)
        where = ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))
        expected = f"finite and within {spec.bounds}" if spec.bounds else "a finite number"
        got = float(values[tuple(index)])
        raise ComponentError(f"field {spec.name} [{spec.units}] at {time}, {where}: expected {expected}, got {got}")


def _limits(spec: FieldSpec) -> tuple[float, float]:
    """Return the bounds with room for rounding; infinity is always outside."""
    low, high = spec.bounds or (-inf, inf)
    slack, largest = 1e-9 * (high - low) if isfinite(high - low) else 0.0, torch.finfo(torch.float64).max
    return max(low - slack, -largest), min(high + slack, largest)


def _flat(groups: Groups, parts: Sequence[Tensors]) -> list[Tensor]:
    return [part[spec.name] for part, group in zip(parts, groups, strict=True) for spec in group]
