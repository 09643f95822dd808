"""Gradient strategies for code that torch cannot see: how a vector-Jacobian product is found.

Every strategy works on an `Evaluation`: lists of float64 tensors in, lists of float64 tensors out, each
(*lead, *dims). Leading dims are always independent; columns are where the component declares it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor

from crest_core.errors import GradientError
from crest_core.fields import HORIZONTAL, FieldSpec

Pull = Callable[[list[Tensor], list[Tensor]], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A pure function of named tensors, and what is known of its structure."""

    function: Callable[[list[Tensor]], list[Tensor]]
    arguments: tuple[FieldSpec, ...]
    results: tuple[FieldSpec, ...]
    independent_columns: bool
    pullback: Pull | None = None

    def free_dims(self, spec: FieldSpec) -> int:
        """Return how many trailing dims of an argument must be perturbed one by one."""
        return len(spec.dims) - (self.column_dims(spec) if self.independent_columns else 0)

    def column_dims(self, spec: FieldSpec) -> int:
        """Return how many trailing dims are horizontal."""
        return sum(name in HORIZONTAL for name in spec.dims)

    def contract(self, cotangents: Sequence[Tensor], tangents: Sequence[Tensor]) -> Tensor:
        """Return sum of cotangent * tangent over all dims that are not independent."""
        total: Tensor | None = None
        for spec, cotangent, tangent in zip(self.results, cotangents, tangents, strict=True):
            term = cotangent * tangent
            kept = self.column_dims(spec) if self.independent_columns else 0
            summed = list(range(term.dim() - len(spec.dims), term.dim() - kept))
            term = term.sum(dim=summed) if summed else term
            total = term if total is None else total + term
        if total is None:
            raise GradientError("a component without outputs and states has no gradient")
        return total


class Gradient(ABC):
    """A way to get vector-Jacobian products of a black box."""

    policy: str

    @abstractmethod
    def vjp(
        self,
        evaluation: Evaluation,
        arguments: list[Tensor],
        needed: Sequence[bool],
        cotangents: list[Tensor],
    ) -> list[Tensor | None]:
        """Return the gradient of <cotangents, results> for every argument that needs one."""


@dataclass(frozen=True)
class NoGradient(Gradient):
    """No gradient: results leave the tape, and `gradient_report` says "blocked"."""

    policy: str = field(default="none", init=False)

    def vjp(self, evaluation, arguments, needed, cotangents):  # type: ignore[no-untyped-def]
        """Raise, since a blocked component is never on the tape."""
        raise GradientError("a component with gradient policy none has no vector-Jacobian product")


@dataclass(frozen=True)
class Pullback(Gradient):
    """The component's own adjoint (its `pullback` method); exact as far as the author's code is."""

    policy: str = field(default="pullback", init=False)

    def vjp(
        self,
        evaluation: Evaluation,
        arguments: list[Tensor],
        needed: Sequence[bool],
        cotangents: list[Tensor],
    ) -> list[Tensor | None]:
        """Return what the component's pullback returns."""
        if evaluation.pullback is None:
            raise GradientError("gradient policy pullback needs a component with a pullback method")
        return list(evaluation.pullback(arguments, cotangents))


@dataclass(frozen=True)
class FiniteDifference(Gradient):
    """Central differences, error O(step^2): k scalars per column cost one call with 2k times the columns.

    A field is perturbed by step * its size: the width of its bounds, else max(1, |value|). Both points are kept
    within the bounds; where that moves one of them the difference is one-sided, error O(step).
    The default step is about the cube root of the float64 rounding unit.
    """

    step: float = 6e-6
    policy: str = field(default="finite_difference", init=False)

    def vjp(
        self,
        evaluation: Evaluation,
        arguments: list[Tensor],
        needed: Sequence[bool],
        cotangents: list[Tensor],
    ) -> list[Tensor | None]:
        """Return finite-difference gradients of all arguments that need one, from a single call."""
        places = [
            (which, index)
            for which, spec in enumerate(evaluation.arguments)
            if needed[which]
            for index in _positions(arguments[which], spec, evaluation.free_dims(spec))
        ]
        count = len(places)
        copies = [x.expand(2 * count, *x.shape).clone() for x in arguments]
        widths = []
        for row, (which, index) in enumerate(places):
            spec, x = evaluation.arguments[which], arguments[which][index]
            high, low = _within(spec, x + self.step * _size(spec, x), x - self.step * _size(spec, x))
            copies[which][row][index] = high
            copies[which][count + row][index] = low
            widths.append(high - low)
        results = evaluation.function(copies)
        gradients: list[Tensor | None] = [
            torch.zeros_like(x) if need else None for x, need in zip(arguments, needed, strict=True)
        ]
        change = [y[:count] - y[count:] for y in results]
        contracted = evaluation.contract([c.unsqueeze(0) for c in cotangents], change)
        for row, (which, index) in enumerate(places):
            target = gradients[which]
            if target is not None:
                target[index] = contracted[row] / widths[row]
        return gradients


@dataclass(frozen=True)
class SPSA(Gradient):
    """Simultaneous perturbation: 2 * pairs copies whatever the number of arguments; unbiased but noisy.

    The mean cosine with the true gradient of d scalars is about sqrt(N / (N + d - 1)) for N pairs. The generator
    advances with every call. Spall (1992), doi:10.1109/9.119632.
    """

    generator: torch.Generator
    pairs: int = 1
    step: float = 1e-5
    policy: str = field(default="spsa", init=False)

    def vjp(
        self,
        evaluation: Evaluation,
        arguments: list[Tensor],
        needed: Sequence[bool],
        cotangents: list[Tensor],
    ) -> list[Tensor | None]:
        """Return an estimate from `pairs` random directions, drawn for every scalar of every column."""
        directions, moves = [], []
        for x, need in zip(arguments, needed, strict=True):
            sign = torch.randint(0, 2, (self.pairs, *x.shape), generator=self.generator, dtype=torch.int64)
            directions.append((2 * sign - 1).to(x) if need else torch.zeros(self.pairs, *x.shape).to(x))
        for spec, x, direction in zip(evaluation.arguments, arguments, directions, strict=True):
            moves.append(self.step * _size(spec, x) * direction)
        copies = [
            torch.cat(_mirrored(spec, x, move))
            for spec, x, move in zip(evaluation.arguments, arguments, moves, strict=True)
        ]
        results = evaluation.function(copies)
        change = [y[: self.pairs] - y[self.pairs :] for y in results]
        slope = evaluation.contract([c.unsqueeze(0) for c in cotangents], change)
        gradients: list[Tensor | None] = []
        for spec, x, need, direction in zip(evaluation.arguments, arguments, needed, directions, strict=True):
            if not need:
                gradients.append(None)
                continue
            kept = evaluation.column_dims(spec) if evaluation.independent_columns else 0
            shape = list(slope.shape[: slope.dim() - kept])
            shape += [1] * (len(spec.dims) - kept) + list(slope.shape[slope.dim() - kept :])
            width = 2 * self.step * _size(spec, x)
            gradients.append((slope.reshape(shape) * direction / width).mean(0))
        return gradients


def spsa_gradient(
    loss: Callable[[], Tensor],
    parameters: Sequence[Tensor],
    generator: torch.Generator,
    *,
    pairs: int = 1,
    step: float = 1e-3,
) -> list[Tensor]:
    """Return the SPSA estimate of d loss / d parameters from 2 * pairs evaluations of a whole run.

    `loss` reads the parameters, which are moved in place and put back. Spall (1992), doi:10.1109/9.119632.
    """
    saved = [parameter.detach().clone() for parameter in parameters]
    gradients = [torch.zeros_like(parameter) for parameter in saved]
    try:
        with torch.no_grad():
            for _ in range(pairs):
                signs = [(2 * torch.randint(0, 2, p.shape, generator=generator) - 1).to(p) for p in saved]
                values = []
                for direction in (1.0, -1.0):
                    for parameter, base, sign in zip(parameters, saved, signs, strict=True):
                        parameter.copy_(base + direction * step * sign)
                    values.append(float(loss()))
                slope = (values[0] - values[1]) / (2 * step)
                for gradient, sign in zip(gradients, signs, strict=True):
                    gradient += slope * sign / pairs
    finally:
        with torch.no_grad():
            for parameter, base in zip(parameters, saved, strict=True):
                parameter.copy_(base)
    return gradients


def _positions(x: Tensor, spec: FieldSpec, free: int) -> list[tuple[Any, ...]]:
    first = x.dim() - len(spec.dims)
    sizes = x.shape[first : first + free]
    return [(..., *index, *[slice(None)] * (len(spec.dims) - free)) for index in product(*map(range, sizes))]


def _size(spec: FieldSpec, x: Tensor) -> Tensor:
    if spec.bounds is not None:
        return torch.full_like(x, spec.bounds[1] - spec.bounds[0])
    return x.abs().clamp(min=1.0)


def _within(spec: FieldSpec, high: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    if spec.bounds is None:
        return high, low
    return high.clamp(max=spec.bounds[1]), low.clamp(min=spec.bounds[0])


def _mirrored(spec: FieldSpec, x: Tensor, move: Tensor) -> tuple[Tensor, Tensor]:
    """Return both perturbed points, the pair pushed inwards where it would leave the bounds."""
    if spec.bounds is None:
        return x + move, x - move
    reach = move.abs()
    centre = torch.minimum(torch.maximum(x, spec.bounds[0] + reach), spec.bounds[1] - reach)
    return centre + move, centre - move
