"""Gradient strategies for code that torch cannot see: how a vector-Jacobian product is found.

Each works on packed float64 tensors (*lead, rows, columns): a row is one scalar of every column. Leading dims and
columns are independent; a component whose columns are not has them as rows, and one column.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from crest_core.errors import GradientError


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A pure function (*lead, rows, columns) -> (*lead, other rows, columns), and the range of each row (rows, 1)."""

    function: Callable[[Tensor], Tensor]
    pullback: Callable[[Tensor, Tensor], Tensor]  # (x, cotangent of the result) -> gradient, for Pullback() alone
    needed: Tensor  # indices of the rows whose gradient is asked for
    low: Tensor
    high: Tensor

    def size(self, x: Tensor) -> Tensor:
        """Return how large each value can be: the width of its bounds, else max(1, |value|)."""
        width = self.high - self.low
        return torch.where(width.isfinite(), width, x.abs().clamp(min=1.0))

    def slope(self, up: Tensor, down: Tensor, cotangent: Tensor) -> Tensor:
        """Return <cotangent, f(up) - f(down)> over the rows, (copies, *lead, columns), from a single call."""
        high, low = self.function(torch.cat([up, down])).chunk(2)
        return ((high - low) * cotangent).sum(-2)


class Gradient(ABC):
    """A way to get vector-Jacobian products of a black box."""

    policy: ClassVar[str]

    @abstractmethod
    def vjp(self, call: Evaluation, x: Tensor, cotangent: Tensor) -> Tensor:
        """Return the gradient of <cotangent, f(x)> with respect to x; rows that are not needed are zero."""


@dataclass(frozen=True)
class NoGradient(Gradient):
    """No gradient: results leave the tape, and `gradient_report` says "blocked"."""

    policy: ClassVar[str] = "none"

    def vjp(self, call: Evaluation, x: Tensor, cotangent: Tensor) -> Tensor:
        raise GradientError("a component with the gradient policy none has no gradient; it leaves the tape")


@dataclass(frozen=True)
class Pullback(Gradient):
    """The component's own adjoint, its `pullback` method: exact as far as the author's code is."""

    policy: ClassVar[str] = "pullback"

    def vjp(self, call: Evaluation, x: Tensor, cotangent: Tensor) -> Tensor:
        return call.pullback(x, cotangent)


@dataclass(frozen=True)
class FiniteDifference(Gradient):
    """Central differences, error O(step^2): k scalars per column cost one call with 2k times the columns.

    A value is moved by step * its size: the width of its bounds, else max(1, |value|). At a bound the difference is
    one-sided, error O(step). The default step is about the cube root of the float64 rounding unit.
    """

    step: float = 6e-6
    policy: ClassVar[str] = "finite_difference"

    def vjp(self, call: Evaluation, x: Tensor, cotangent: Tensor) -> Tensor:
        move = self.step * call.size(x)
        up, down = torch.minimum(x + move, call.high), torch.maximum(x - move, call.low)
        rows = call.needed.unsqueeze(1) == torch.arange(x.shape[-2], device=x.device)  # copy k has row needed[k] moved
        moved = rows.reshape(len(rows), *[1] * (x.dim() - 2), x.shape[-2], 1)
        slope = call.slope(torch.where(moved, up, x), torch.where(moved, down, x), cotangent)
        gradient = torch.zeros_like(x)
        gradient[..., call.needed, :] = slope.movedim(0, -2) / (up - down)[..., call.needed, :]
        return gradient


@dataclass(frozen=True)
class SPSA(Gradient):
    """Simultaneous perturbation: 2 * pairs copies whatever the number of rows; unbiased but noisy.

    The mean cosine with the true gradient of d scalars is about sqrt(N / (N + d - 1)) for N pairs. The generator
    advances with every call. Spall (1992), doi:10.1109/9.119632.
    """

    generator: torch.Generator
    pairs: int = 1
    step: float = 1e-5
    policy: ClassVar[str] = "spsa"

    def vjp(self, call: Evaluation, x: Tensor, cotangent: Tensor) -> Tensor:
        asked = torch.zeros_like(x[..., :1]).index_fill(-2, call.needed, 1.0)
        sign = (2 * torch.randint(0, 2, (self.pairs, *x.shape), generator=self.generator) - 1).to(x) * asked
        move = self.step * call.size(x)
        centre = x.clamp(call.low + move, call.high - move)  # both points within the bounds
        slope = call.slope(centre + move * sign, centre - move * sign, cotangent)
        return (slope.unsqueeze(-2) * sign).mean(0) / (2 * move)
