"""Normalisations, as they are at inference: batch statistics are those of the training, and stay."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from crest_onnx.operators.node import Node, Operator


def _batch(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if node.get("training_mode", 0):
        raise node.refusal("training_mode=1")
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, node.get("epsilon", 1e-5))


def _instance(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    axes, shape = list(range(2, x.dim())), (-1, *[1] * (x.dim() - 2))
    centred, variance = _centred(x, axes)
    normal = centred * torch.rsqrt(variance + node.get("epsilon", 1e-5))
    return normal * scale.reshape(shape) + bias.reshape(shape)


def _group(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Return each group of channels normalised; scale and bias are by channel, before opset 21 by group."""
    groups = node.get("num_groups")
    if node.opset < 21:
        scale, bias = (value.repeat_interleave(x.shape[1] // groups) for value in (scale, bias))
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


def _layer(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
    axes = list(range(node.get("axis", -1) % x.dim(), x.dim()))
    centred, variance = _centred(x, axes)
    inverse = torch.rsqrt(variance + node.get("epsilon", 1e-5))
    result = centred * inverse * scale
    return (result if bias is None else result + bias, x.mean(axes, keepdim=True), inverse)[: len(node.outputs)]


def _root_mean_square(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    axes = list(range(node.get("axis", -1) % x.dim(), x.dim()))
    return x * torch.rsqrt((x * x).mean(axes, keepdim=True) + node.get("epsilon", 1e-5)) * scale


def _mean_variance(node: Node, x: Tensor) -> Tensor:
    centred, variance = _centred(x, node.get("axes", [0, 2, 3]))
    return centred / (variance.sqrt() + 1e-9)


def _norm(node: Node, x: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(x, node.get("p", 2), dim=node.get("axis", -1), keepdim=True)
    return torch.where(length == 0, torch.zeros_like(x), x / torch.where(length == 0, 1.0, length))


def _local_response(node: Node, x: Tensor) -> Tensor:
    """Return x / (bias + alpha / size sum of squares over neighbouring channels)^beta."""
    size = node.get("size")
    before = (size - 1) // 2
    squares = F.pad((x * x).movedim(1, -1), (before, size - 1 - before)).unfold(-1, size, 1).sum(-1).movedim(-1, 1)
    return x / (node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * squares) ** node.get("beta", 0.75)


def _centred(x: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
    centred = x - x.mean(axes, keepdim=True)
    return centred, (centred * centred).mean(axes, keepdim=True)


OPERATORS: Mapping[str, Operator] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LRN": _local_response,
    "LayerNormalization": _layer,
    "LpNormalization": _norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
}
