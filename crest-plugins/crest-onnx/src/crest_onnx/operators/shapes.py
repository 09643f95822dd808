"""Operators that rearrange: reshape, transpose, join, cut, repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator


def _reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Return x in a new shape: -1 is what is left, 0 the size that it had (unless allowzero)."""
    sizes = shape.tolist()
    if not node.get("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return x.reshape(sizes)


def _transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.get("perm", list(range(x.dim()))[::-1]))


def _squeeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = node.axes(given)
    axes = [axis for axis, size in enumerate(x.shape) if size == 1] if axes is None else axes
    return x.squeeze(tuple(axes))


def _unsqueeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = node.axes(given) or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _concat(node: Node, *values: Tensor) -> Tensor:
    return torch.cat(values, node.get("axis"))


def _split(node: Node, x: Tensor, given: Tensor | None = None) -> Sequence[Tensor]:
    """Return parts of the sizes given, else as many equal ones as there are outputs, the last smaller."""
    axis = node.get("axis", 0)
    sizes = node.get("split") if given is None else given.tolist()
    if sizes is None:
        sizes = -(-x.shape[axis] // node.get("num_outputs", len(node.outputs)))
    return x.split(sizes, axis)


def _slice(
    node: Node,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first = node.get("starts") if starts is None else starts.tolist()
    last = node.get("ends") if ends is None else ends.tolist()
    along = node.axes(axes) or list(range(len(first)))
    widths = [1] * len(first) if steps is None else steps.tolist()
    for axis, begin, end, step in zip(along, first, last, widths, strict=True):
        size = x.shape[axis]
        picked = range(size)[slice(begin, end if end >= -size or step > 0 else None, step)]
        if step > 0:
            x = x[(slice(None),) * (axis % x.dim()) + (slice(picked.start, picked.stop, step),)]
        else:
            x = x.index_select(axis, torch.tensor(list(picked), dtype=torch.int64, device=x.device))
    return x


def _expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape.tolist())))


def _tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    return x.repeat(repeats.tolist())


def _flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    size = node.get("blocksize")
    batch, channels, rows, columns = x.shape
    rest = channels // size**2
    if node.get("mode", "DCR") == "DCR":
        blocks = x.reshape(batch, size, size, rest, rows, columns).permute(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(batch, rest, size, size, rows, columns).permute(0, 1, 4, 2, 5, 3)
    return blocks.reshape(batch, rest, rows * size, columns * size)


def _space_to_depth(node: Node, x: Tensor) -> Tensor:
    size = node.get("blocksize")
    batch, channels, rows, columns = x.shape
    order = (0, 3, 5, 1, 2, 4) if node.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = x.reshape(batch, channels, rows // size, size, columns // size, size).permute(order)
    return blocks.reshape(batch, channels * size**2, rows // size, columns // size)


def _triangle(node: Node, x: Tensor, shift: Tensor | None = None) -> Tensor:
    diagonal = 0 if shift is None else int(shift)
    return torch.triu(x, diagonal) if node.get("upper", 1) else torch.tril(x, diagonal)


def _reverse(node: Node, x: Tensor, lengths: Tensor) -> Tensor:
    """Return x with the first `lengths` steps of every batch element turned around."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    return turned(x.movedim((time, batch), (0, 1)), lengths).movedim((0, 1), (time, batch))


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Return x (time, batch, ...) with the first `lengths` steps of every batch element turned around."""
    steps = torch.arange(len(x), device=x.device).unsqueeze(1)
    index = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x[index, torch.arange(x.shape[1], device=x.device)]


OPERATORS: Mapping[str, Operator] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Dropout": lambda node, x, *unused: (x, torch.ones_like(x, dtype=torch.bool))[: len(node.outputs)],
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": lambda node, x: x,
    "Reshape": _reshape,
    "ReverseSequence": _reverse,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
}
