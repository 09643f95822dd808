"""Laws that every gradient must keep: adjoint dot product, Taylor remainder, materialised Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[..., Sequence[Tensor]]


def dot_product_error(function: Function, arguments: Sequence[Tensor], generator: torch.Generator) -> float:
    """Return |<J v, w> - <v, J^T w>| / max of both, for random v and w; the tangent J v by double vjp.

    Below 1e-12 in float64 for exact gradients; the test of OOPS LinearModel.h.
    """
    arguments = [x.detach().clone().requires_grad_() for x in arguments]
    results = [y for y in function(*arguments) if y.requires_grad]
    v = [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in arguments]
    w = [torch.randn(y.shape, generator=generator, dtype=y.dtype) for y in results]
    seeds = [torch.zeros_like(y, requires_grad=True) for y in results]
    pulled = torch.autograd.grad(results, arguments, seeds, create_graph=True, allow_unused=True)
    alive = [(g, d) for g, d in zip(pulled, v, strict=True) if g is not None and g.requires_grad]
    tangent = torch.autograd.grad(
        [g for g, _ in alive], seeds, [d for _, d in alive], retain_graph=True, allow_unused=True
    )
    adjoint = torch.autograd.grad(results, arguments, w, allow_unused=True)
    left = sum(float((t * b).sum()) for t, b in zip(tangent, w, strict=True) if t is not None)
    right = sum(float((d * a).sum()) for d, a in zip(v, adjoint, strict=True) if a is not None)
    return abs(left - right) / max(abs(left), abs(right), 1e-300)


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
    return float((a - b).detach().abs().max() / b.detach().abs().max().clamp(min=1e-300))
