"""Where windows of convolution and pooling lie: padding of any rank, in the notation of ONNX."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from crest_onnx.operators.node import Node


def window_of(node: Node, rank: int) -> tuple[list[int], list[int]]:
    """Return strides and dilations, one for each spatial axis."""
    return node.get("strides", [1] * rank), node.get("dilations", [1] * rank)


def pads_of(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """Return the padding before each spatial axis, then after each, from `pads` or `auto_pad`."""
    rank, mode = len(sizes), node.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return node.get("pads", [0] * 2 * rank)
    if mode == "VALID":
        return [0] * 2 * rank
    strides, dilations = window_of(node, rank)
    totals = [
        max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        for size, stride, width, dilation in zip(sizes, strides, kernel, dilations, strict=True)
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return less + more if mode == "SAME_UPPER" else more + less


def padded(x: Tensor, pads: Sequence[int], value: float) -> Tensor:
    """Return x with its last axes padded: `pads` has those before each axis, then those after."""
    if not any(pads):
        return x
    rank = len(pads) // 2
    pairs = [(pads[axis], pads[axis + rank]) for axis in range(rank)]
    return F.pad(x, [width for pair in reversed(pairs) for width in pair], value=value)
