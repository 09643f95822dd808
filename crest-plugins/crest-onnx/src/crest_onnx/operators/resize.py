"""Resize: each axis on its own, as a weighted sum of neighbours; nearest, linear and cubic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator

_COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"
)  # fmt: skip


def _resize(
    node: Node, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    if node.opset < 11:
        return _interpolate(node, x, list(range(x.dim())), roi.tolist() if roi is not None else [], None, [])
    axes = node.get("axes", list(range(x.dim())))
    axes = [axis % x.dim() for axis in axes]
    factors = None if scales is None or scales.numel() == 0 else scales.tolist()
    lengths = None if sizes is None or sizes.numel() == 0 else sizes.tolist()
    if lengths is not None:
        factors = [length / x.shape[axis] for length, axis in zip(lengths, axes, strict=True)]
        policy = node.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            factor = min(factors) if policy == "not_larger" else max(factors)
            factors = [factor] * len(axes)
            lengths = [int(factor * x.shape[axis] + 0.5) for axis in axes]
    return _interpolate(node, x, axes, factors or [], lengths, [] if roi is None else roi.tolist())


def _upsample(node: Node, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """Return the resize of old opsets: asymmetric, nearest rounds down."""
    factors = node.get("scales") if scales is None else scales.tolist()
    return _interpolate(node, x, list(range(x.dim())), factors, None, [])


def _interpolate(
    node: Node, x: Tensor, axes: Sequence[int], factors: Sequence[float], lengths: Sequence[int] | None,
    roi: Sequence[float],
) -> Tensor:  # fmt: skip
    if node.get("antialias", 0):
        raise node.refusal("antialias=1")
    for place, axis in enumerate(axes):
        size, factor = x.shape[axis], factors[place]
        length = int(size * factor) if lengths is None else lengths[place]
        window = (roi[place], roi[place + len(axes)]) if roi else (0.0, 1.0)
        where = _coordinates(node, size, length, factor, window)
        if length == size and torch.equal(where, torch.arange(size).to(where)):
            continue
        x = _along(node, x, axis, where)
    return x


def _coordinates(node: Node, size: int, length: int, factor: float, window: tuple[float, float]) -> Tensor:
    """Return where each of `length` results lies on an axis of `size` values."""
    mode = node.get("coordinate_transformation_mode", "half_pixel" if node.opset >= 11 else "asymmetric")
    if mode not in _COORDINATES:
        raise node.refusal(f"coordinate_transformation_mode {mode}")
    i = torch.arange(length, dtype=torch.float64)
    if mode == "align_corners":
        return i * (size - 1) / (length - 1) if length > 1 else i * 0
    if mode == "asymmetric":
        return i / factor
    if mode == "pytorch_half_pixel" and length == 1:
        return i * 0 - 0.5
    if mode == "tf_crop_and_resize":
        start, end = window
        if length > 1:
            return start * (size - 1) + i * (end - start) * (size - 1) / (length - 1)
        return i * 0 + 0.5 * (start + end) * (size - 1)
    shift = 0.0
    if mode == "half_pixel_symmetric":
        shift = size / 2 * (1 - length / (factor * size))
    return shift + (i + 0.5) / factor - 0.5


def _along(node: Node, x: Tensor, axis: int, where: Tensor) -> Tensor:
    """Return the values of x at places along one axis."""
    size = x.shape[axis]
    places, weights = _KERNELS[_mode(node)](node, where)
    outside = (places < 0) | (places >= size)
    if node.get("exclude_outside", 0):
        weights = torch.where(outside, 0.0, weights)
        weights = weights / weights.sum(0)
    shape = [1] * x.dim()
    shape[axis] = -1
    parts = (
        x.index_select(axis, place.clamp(0, size - 1).to(x.device)) * weight.to(x).reshape(shape)
        for place, weight in zip(places, weights, strict=True)
    )
    result = reduce(torch.add, parts)
    if node.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        beyond = ((where < 0) | (where > size - 1)).reshape(shape).to(x.device)
        result = torch.where(beyond, node.get("extrapolation_value", 0.0), result)
    return result


def _mode(node: Node) -> str:
    mode = node.get("mode", "nearest")
    if mode not in _KERNELS:
        raise node.refusal(f"mode {mode}")
    return mode


def _nearest(node: Node, where: Tensor) -> tuple[Tensor, Tensor]:
    how = node.get("nearest_mode", "round_prefer_floor" if node.opset >= 11 else "floor")
    rounded = {
        "round_prefer_floor": lambda: torch.ceil(where - 0.5),
        "round_prefer_ceil": lambda: torch.floor(where + 0.5),
        "floor": lambda: torch.floor(where),
        "ceil": lambda: torch.ceil(where),
    }[how]()
    return rounded.long().unsqueeze(0), torch.ones(1, len(where), dtype=where.dtype)


def _linear(node: Node, where: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.floor(where)
    share = where - low
    return torch.stack([low, low + 1]).long(), torch.stack([1 - share, share])


def _cubic(node: Node, where: Tensor) -> tuple[Tensor, Tensor]:
    """Return four neighbours with the weights of Keys (1981), doi:10.1109/TASSP.1981.1163711."""
    a = node.get("cubic_coeff_a", -0.75)
    low = torch.floor(where)
    places = torch.stack([low - 1, low, low + 1, low + 2])
    d = (where - places).abs()
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return places.long(), torch.where(d <= 1, near, far)


_KERNELS = {"cubic": _cubic, "linear": _linear, "nearest": _nearest}

OPERATORS: Mapping[str, Operator] = {"Resize": _resize, "Upsample": _upsample}
