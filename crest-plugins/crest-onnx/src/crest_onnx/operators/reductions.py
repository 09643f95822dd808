"""Reductions along axes, cumulative sums, and what picks by size; arg... have no gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _reduce(function: Reduction) -> Operator:
    """Return a reduction over `axes`: attribute or input by opset, all of them where none are named."""

    def operator(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = node.axes(given)
        if not axes and node.get("noop_with_empty_axes", 0):
            return function(x.unsqueeze(-1), [-1], False)  # over an axis of one: what the operator does to each value
        if not axes:
            axes = list(range(x.dim()))
        return function(x, axes, bool(node.get("keepdims", 1)))

    return operator


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % max(x.dim(), 1) for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _largest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _extreme(x, axes, keep, torch.amax, 0)


def _smallest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _extreme(x, axes, keep, torch.amin, 1)


def _extreme(x: Tensor, axes: list[int], keep: bool, function: Callable[..., Tensor], end: int) -> Tensor:
    """Return amax or amin; of nothing it is the other end of the number type."""
    if x.numel():
        return function(x, axes, keep)
    limits = torch.finfo(x.dtype) if x.is_floating_point() else torch.iinfo(x.dtype)
    far = (-float("inf"), float("inf")) if x.is_floating_point() else (limits.min, limits.max)
    return torch.sum(x, axes, keep, dtype=x.dtype) + far[end]


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.sum(x, axes, keep, dtype=x.dtype)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.mean(x, axes, keep)


def _arg(function: Callable[..., Tensor]) -> Operator:
    def operator(node: Node, x: Tensor) -> Tensor:
        axis = node.get("axis", 0)
        keep = bool(node.get("keepdims", 1))
        if not node.get("select_last_index", 0):
            return function(x, axis, keep)
        return x.shape[axis] - 1 - function(x.flip(axis), axis, keep)

    return operator


def _cumulative(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    dim = int(axis)
    x = x.flip(dim) if node.get("reverse", 0) else x
    total = x.cumsum(dim, dtype=x.dtype)
    total = total - x if node.get("exclusive", 0) else total
    return total.flip(dim) if node.get("reverse", 0) else total


def _top(node: Node, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    count = node.get("k") if k is None else int(k)
    dim, largest = node.get("axis", -1), bool(node.get("largest", 1))
    values, indices = torch.sort(x, dim=dim, descending=largest, stable=True)
    return values.narrow(dim, 0, count), indices.narrow(dim, 0, count)


OPERATORS: Mapping[str, Operator] = {
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "CumSum": _cumulative,
    "ReduceL1": _reduce(lambda x, axes, keep: _sum(x.abs(), axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep)),
    "ReduceLogSum": _reduce(lambda x, axes, keep: _sum(x, axes, keep).log()),
    "ReduceLogSumExp": _reduce(lambda x, axes, keep: torch.logsumexp(x, axes, keep)),
    "ReduceMax": _reduce(_largest),
    "ReduceMean": _reduce(_mean),
    "ReduceMin": _reduce(_smallest),
    "ReduceProd": _reduce(_product),
    "ReduceSum": _reduce(_sum),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: _sum(x * x, axes, keep)),
    "TopK": _top,
}
