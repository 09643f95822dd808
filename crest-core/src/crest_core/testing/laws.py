"""Laws that every gradient must keep: adjoint dot product, Taylor remainder, materialised Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from crest_core.errors import GradientError

Function = Callable[..., Sequence[Tensor]]


def dot_product_error(function: Function, arguments: Sequence[Tensor], generator: torch.Generator) -> float:
    """Return |<J v, w> - <v, J^T w>| / max of both, for random v and w; the tangent J v by double vjp.

    Below 1e-12 in float64 for exact gradients; the test of OOPS LinearModel.h. Since J v comes out of the same
    backward pass, this proves that a vjp and its transpose are consistent and no more: a backward that is wrong but
    linear passes. Pair it with `taylor_orders`, or for affine maps take `affine_error`. GradientError where the
    Jacobian is zero.
    """
    arguments, results = _traced(function, arguments)
    v, w = _random(arguments, generator), _random(results, generator)
    seeds = [torch.zeros_like(y, requires_grad=True) for y in results]
    pulled = torch.autograd.grad(results, arguments, seeds, create_graph=True, allow_unused=True)
    alive = [(g, d) for g, d in zip(pulled, v, strict=True) if g is not None and g.requires_grad]
    heads, directions = [g for g, _ in alive], [d for _, d in alive]
    tangent = torch.autograd.grad(heads, seeds, directions, retain_graph=True, allow_unused=True) if alive else ()
    adjoint = torch.autograd.grad(results, arguments, w, allow_unused=True)
    return _discrepancy(_product(tangent, w[: len(tangent)]), _product(adjoint, v))


def affine_error(function: Function, arguments: Sequence[Tensor], generator: torch.Generator) -> float:
    """Return |<f(x + v) - f(x), w> - <v, J^T w>| / max of both, for random v and w: exact where f is affine.

    Unlike `dot_product_error` it holds the backward pass against the function itself. For connections, regridders and
    other linear maps; below 1e-12 in float64. GradientError where the Jacobian is zero.
    """
    arguments, results = _traced(function, arguments)
    v, w = _random(arguments, generator), _random(results, generator)
    with torch.no_grad():
        moved = function(*(x + d for x, d in zip(arguments, v, strict=True)))
    tangent = [high - low for high, low in zip(moved, results, strict=True)]
    adjoint = torch.autograd.grad(results, arguments, w, allow_unused=True)
    return _discrepancy(_product(tangent, w), _product(adjoint, v))


def taylor_orders(
    function: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, steps: Sequence[float]
) -> list[float]:
    """Return the orders at which f(x + e d) - f(x) - e <grad f, d> shrinks between neighbouring steps: 2 if exact."""
    point = x.detach().clone().requires_grad_()
    value = function(point)
    (gradient,) = torch.autograd.grad(value, point)
    slope = float((gradient * direction).sum())
    with torch.no_grad():
        remainders = [abs(float(function(x + e * direction) - value.detach()) - e * slope) for e in steps]
    logs = torch.tensor(remainders, dtype=torch.float64).log()
    widths = torch.tensor(steps, dtype=torch.float64).log()
    return ((logs[1:] - logs[:-1]) / (widths[1:] - widths[:-1])).tolist()


def materialised_vjp(function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Tensor, steps: Tensor) -> Tensor:
    """Return J^T w with J built entry by entry from central differences of width 2 * steps."""
    gradient = torch.zeros_like(x)
    flat, widths = gradient.view(-1), steps.expand_as(x).reshape(-1)
    for i in range(x.numel()):
        high, low = x.clone().view(-1), x.clone().view(-1)
        high[i] += widths[i]
        low[i] -= widths[i]
        width = high[i] - low[i]
        change = function(high.view_as(x)) - function(low.view_as(x))
        flat[i] = (change * cotangent).sum() / width
    return gradient


def relative_difference(a: Tensor, b: Tensor) -> float:
    """Return the largest |a - b| relative to the largest |b|."""
    difference, reference = (x.detach().double().abs().max() for x in (a - b, b))
    return float(difference / reference.clamp(min=1e-300))


def _traced(function: Function, arguments: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return fresh leaves with the values of the arguments, and the results on the tape."""
    leaves = [x.detach().clone().requires_grad_() for x in arguments]
    results = list(function(*leaves))
    constant = [index for index, y in enumerate(results) if not y.requires_grad]
    if constant:
        raise GradientError(f"results {constant} depend on no argument, or left the tape; return only others")
    return leaves, results


def _random(tensors: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    return [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in tensors]


def _product(a: Sequence[Tensor | None], b: Sequence[Tensor]) -> float:
    return sum(float((x.detach() * y).sum()) for x, y in zip(a, b, strict=True) if x is not None)


def _discrepancy(left: float, right: float) -> float:
    if left == right == 0.0:
        raise GradientError(
            "both sides of the dot product are 0: the Jacobian is zero here, which proves nothing; expected a function "
            "that reacts to its arguments at this point"
        )
    return abs(left - right) / max(abs(left), abs(right))
