"""Gradient strategies for code that torch cannot see: how a vector-Jacobian product is found.

Each works on an `Evaluation`: lists of float64 tensors in and out, each (*lead, *dims). Leading dims are always
independent of each other; columns are where the component declares it.
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

Values = list[Tensor]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A pure function of tensors, the fields they hold, and whether columns are independent."""

    function: Callable[[Values], Values]
    arguments: tuple[FieldSpec, ...]
    results: tuple[FieldSpec, ...]
    independent_columns: bool
    pullback: Callable[[Values, Values], Values]

    def columns(self, spec: FieldSpec) -> int:
        """Return how many trailing dims of a field are independent."""
        return sum(name in HORIZONTAL for name in spec.dims) if self.independent_columns else 0

    def slope(self, copies: Values, cotangents: Values) -> Tensor:
        """Return <cotangents, f(first half) - f(second half)>, summed over all dims that are not independent."""
        total: Tensor | None = None
        for spec, cotangent, result in zip(self.results, cotangents, self.function(copies), strict=True):
            high, low = result.chunk(2)
            term = cotangent * (high - low)
            summed = list(range(term.dim() - len(spec.dims), term.dim() - self.columns(spec)))
            term = term.sum(dim=summed) if summed else term
            total = term if total is None else total + term
        if total is None:
            raise GradientError("a component without outputs and states has no gradient")
        return total


class Gradient(ABC):
    """A way to get vector-Jacobian products of a black box."""

    policy: str

    @abstractmethod
    def vjp(self, call: Evaluation, x: Values, needed: Sequence[bool], cotangents: Values) -> Sequence[Tensor | None]:
        """Return the gradient of <cotangents, results> with respect to every argument that needs one."""


@dataclass(frozen=True)
class NoGradient(Gradient):
    """No gradient: results leave the tape, and `gradient_report` says "blocked"."""

    policy: str = field(default="none", init=False)

    def vjp(self, call: Evaluation, x: Values, needed: Sequence[bool], cotangents: Values) -> Sequence[Tensor | None]:
        """Return nothing, since a blocked component is never on the tape."""
        return [None] * len(x)


@dataclass(frozen=True)
class Pullback(Gradient):
    """The component's own adjoint, its `pullback` method: exact as far as the author's code is."""

    policy: str = field(default="pullback", init=False)

    def vjp(self, call: Evaluation, x: Values, needed: Sequence[bool], cotangents: Values) -> Sequence[Tensor | None]:
        """Return what the component's pullback returns."""
        return call.pullback(x, cotangents)


@dataclass(frozen=True)
class FiniteDifference(Gradient):
    """Central differences, error O(step^2): k scalars per column cost one call with 2k times the columns.

    A field is moved by step * its size: the width of its bounds, else max(1, |value|). Both points are kept within the
    bounds; where that moves one of them the difference is one-sided, error O(step). The default step is about the cube
    root of the float64 rounding unit.
    """

    step: float = 6e-6
    policy: str = field(default="finite_difference", init=False)

    def vjp(self, call: Evaluation, x: Values, needed: Sequence[bool], cotangents: Values) -> Sequence[Tensor | None]:
        """Return finite differences for all arguments that need them, from a single call."""
        places = [
            (which, index)
            for which, spec in enumerate(call.arguments)
            if needed[which]
            for index in _positions(x[which], spec, call.columns(spec))
        ]
        copies = [value.expand(2 * len(places), *value.shape).clone() for value in x]
        widths = []
        for row, (which, index) in enumerate(places):
            spec, value = call.arguments[which], x[which][index]
            low, high = spec.bounds or (float("-inf"), float("inf"))
            move = self.step * _size(spec, value)
            copies[which][row][index] = up = (value + move).clamp(max=high)
            copies[which][len(places) + row][index] = down = (value - move).clamp(min=low)
            widths.append(up - down)
        slopes = call.slope(copies, cotangents)
        found = [torch.zeros_like(value) for value in x]
        for row, (which, index) in enumerate(places):
            found[which][index] = slopes[row] / widths[row]
        return found


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

    def vjp(self, call: Evaluation, x: Values, needed: Sequence[bool], cotangents: Values) -> Sequence[Tensor | None]:
        """Return an estimate from `pairs` random directions, drawn for every scalar of every column."""
        signs, copies = [], []
        for spec, value, need in zip(call.arguments, x, needed, strict=True):
            sign = _signs((self.pairs, *value.shape), self.generator).to(value) * need
            move = self.step * _size(spec, value)
            low, high = spec.bounds or (float("-inf"), float("inf"))
            centre = value.clamp(low + move, high - move)  # both points within the bounds
            signs.append(sign)
            copies.append(torch.cat([centre + move * sign, centre - move * sign]))
        slopes = call.slope(copies, cotangents)
        found: list[Tensor | None] = []
        for spec, value, sign in zip(call.arguments, x, signs, strict=True):
            kept = slopes.dim() - call.columns(spec)
            shape = (*slopes.shape[:kept], *[1] * (len(spec.dims) - call.columns(spec)), *slopes.shape[kept:])
            found.append((slopes.reshape(shape) * sign).mean(0) / (2 * self.step * _size(spec, value)))
        return found


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

    def place(signs: Sequence[Tensor], distance: float) -> None:
        for parameter, base, sign in zip(parameters, saved, signs, strict=True):
            parameter.copy_(base + distance * sign)

    with torch.no_grad():
        try:
            for _ in range(pairs):
                signs = [_signs(base.shape, generator).to(base) for base in saved]
                place(signs, step)
                high = float(loss())
                place(signs, -step)
                slope = (high - float(loss())) / (2 * step)
                for gradient, sign in zip(gradients, signs, strict=True):
                    gradient += slope * sign / pairs
        finally:
            place(saved, 0.0)
    return gradients


def _signs(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return 2 * torch.randint(0, 2, tuple(shape), generator=generator) - 1


def _positions(x: Tensor, spec: FieldSpec, columns: int) -> list[tuple[Any, ...]]:
    """Return an index for every scalar of a column, or of a field whose columns are not independent."""
    sizes = x.shape[x.dim() - len(spec.dims) : x.dim() - columns]
    return [(..., *index, *[slice(None)] * columns) for index in product(*map(range, sizes))]


def _size(spec: FieldSpec, x: Tensor) -> Tensor:
    if spec.bounds is not None:
        return torch.full_like(x, spec.bounds[1] - spec.bounds[0])
    return x.abs().clamp(min=1.0)
