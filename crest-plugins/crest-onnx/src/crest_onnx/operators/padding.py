"""Pad: constant, edge, reflect and wrap, on any axes; negative pads cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator
from crest_onnx.operators.windows import padded


def _edge(place: Tensor, size: int) -> Tensor:
    return place.clamp(0, size - 1)


def _reflect(place: Tensor, size: int) -> Tensor:
    """Return places mirrored at the first and last value, which are not repeated."""
    period = max(2 * (size - 1), 1)
    place = place.remainder(period)
    return torch.where(place >= size, period - place, place)


def _wrap(place: Tensor, size: int) -> Tensor:
    return place.remainder(size)


_PLACES: Mapping[str, Callable[[Tensor, int], Tensor]] = {"edge": _edge, "reflect": _reflect, "wrap": _wrap}


def _pad(
    node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    widths = node.get("pads") if pads is None else pads.tolist()
    along = list(range(x.dim())) if axes is None else [int(axis) % x.dim() for axis in axes.tolist()]
    before, after = [0] * x.dim(), [0] * x.dim()
    for place, axis in enumerate(along):
        before[axis], after[axis] = widths[place], widths[place + len(along)]
    mode = node.get("mode", "constant")
    if mode == "constant":
        fill = node.get("value", 0.0) if value is None else value.item()
        return padded(x, before + after, fill)
    for axis in along:
        if before[axis] or after[axis]:
            places = torch.arange(-before[axis], x.shape[axis] + after[axis], device=x.device)
            x = x.index_select(axis, _PLACES[mode](places, x.shape[axis]))
    return x


OPERATORS: Mapping[str, Operator] = {"Pad": _pad}
