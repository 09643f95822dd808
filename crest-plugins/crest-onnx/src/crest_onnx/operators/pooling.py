"""Pooling over windows, and over all of space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator
from crest_onnx.operators.windows import padded, pads_of, window_of


def _windows(node: Node, x: Tensor, fill: float) -> tuple[Tensor, Tensor]:
    """Return every window as the last axis, and a mask of the same shape: True where it lies on x or its padding.

    Windows that ceil_mode adds hang over the end; what hangs over is neither.
    """
    kernel = node.get("kernel_shape")
    rank = len(kernel)
    strides, dilations = window_of(node, rank)
    pads = pads_of(node, x.shape[2:], kernel)
    counted = padded(torch.ones(x.shape[2:], dtype=torch.bool, device=x.device), pads, True)
    x = padded(x, pads, fill)
    over = [
        _overhang(node, size, width, stride, dilation, after)
        for size, width, stride, dilation, after in zip(
            x.shape[2:], kernel, strides, dilations, pads[rank:], strict=True
        )
    ]
    x, counted = padded(x, [0] * rank + over, fill), padded(counted, [0] * rank + over, False)
    for axis, (width, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        x, counted = _unfold(x, 2 + axis, width, stride, dilation), _unfold(counted, axis, width, stride, dilation)
    return x.flatten(-rank), counted.flatten(-rank)


def _overhang(node: Node, size: int, width: int, stride: int, dilation: int, after: int) -> int:
    """Return by how much the last window of ceil_mode hangs over one axis; none begins in the padding `after` it.

    `size` is that of the axis with its padding.
    """
    reach = (width - 1) * dilation + 1
    if not node.get("ceil_mode", 0):
        return 0
    count = -(-(size - reach) // stride) + 1
    if (count - 1) * stride >= size - after:
        count -= 1
    return max((count - 1) * stride + reach - size, 0)


def _unfold(x: Tensor, axis: int, width: int, stride: int, dilation: int) -> Tensor:
    """Return x with the windows along one axis as a last axis."""
    return x.unfold(axis, (width - 1) * dilation + 1, stride)[..., ::dilation]


def _max(node: Node, x: Tensor) -> Tensor | tuple[Tensor, ...]:
    if len(node.outputs) > 1:
        raise node.refusal("the second output, indices")
    if not x.is_floating_point():
        raise node.refusal(f"pooling of {x.dtype}")
    return _windows(node, x, -math.inf)[0].amax(-1)


def _average(node: Node, x: Tensor) -> Tensor:
    """Return means over the values of each window, the padding among them where count_include_pad=1."""
    values, counted = _windows(node, x, 0.0)
    if not node.get("count_include_pad", 0):
        ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
        return values.sum(-1) / _windows(node, ones, 0.0)[0].sum(-1)
    return values.sum(-1) / counted.sum(-1)


def _norm(node: Node, x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(_windows(node, x, 0.0)[0], node.get("p", 2), dim=-1)


def _space(x: Tensor) -> Sequence[int]:
    return list(range(2, x.dim()))


OPERATORS: Mapping[str, Operator] = {
    "AveragePool": _average,
    "GlobalAveragePool": lambda node, x: x.mean(_space(x), keepdim=True),
    "GlobalLpPool": lambda node, x: torch.linalg.vector_norm(x, node.get("p", 2), dim=_space(x), keepdim=True),
    "GlobalMaxPool": lambda node, x: x.amax(_space(x), keepdim=True),
    "LpPool": _norm,
    "MaxPool": _max,
}
