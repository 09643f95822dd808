"""Convolution and its transpose in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn import functional as F

from crest_onnx.operators.node import Node, Operator
from crest_onnx.operators.windows import padded, pads_of, window_of

_FORWARD = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _convolve(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rank = x.dim() - 2
    if rank not in _FORWARD:
        raise node.refusal(f"{rank} spatial axes")
    strides, dilations = window_of(node, rank)
    pads = pads_of(node, x.shape[2:], weight.shape[2:])
    inside: Sequence[int] = [0] * rank
    if pads[:rank] == pads[rank:]:
        inside = pads[:rank]
    else:
        x = padded(x, pads, 0.0)
    return _FORWARD[rank](x, weight, bias, strides, inside, dilations, node.get("group", 1))


def _transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the transposed convolution: computed whole, then cut by the pads, or grown where they are negative."""
    rank = x.dim() - 2
    if rank not in _TRANSPOSE:
        raise node.refusal(f"{rank} spatial axes")
    strides, dilations = window_of(node, rank)
    extra = node.get("output_padding", [0] * rank)
    whole = _TRANSPOSE[rank](x, weight, None, strides, 0, 0, node.get("group", 1), dilations)
    sizes = [whole.shape[2 + axis] + extra[axis] for axis in range(rank)]
    pads = _cut(node, x.shape[2:], sizes, strides)
    trimmed = padded(
        whole, [-width for width in pads[:rank]] + [e - p for e, p in zip(extra, pads[rank:], strict=True)], 0.0
    )
    return trimmed if bias is None else trimmed + bias.reshape(-1, *[1] * rank)


def _cut(node: Node, before: Sequence[int], sizes: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Return how much of the whole result is cut at the start of each axis, then at the end of each."""
    wanted, mode = node.get("output_shape"), node.get("auto_pad", "NOTSET")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * stride for size, stride in zip(before, strides, strict=True)]
    if wanted is None:
        return node.get("pads", [0] * 2 * len(sizes)) if mode == "NOTSET" else [0] * 2 * len(sizes)
    totals = [size - aim for size, aim in zip(sizes, wanted[-len(sizes) :], strict=True)]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return less + more if mode == "SAME_UPPER" else more + less


OPERATORS: Mapping[str, Operator] = {"Conv": _convolve, "ConvTranspose": _transpose}
