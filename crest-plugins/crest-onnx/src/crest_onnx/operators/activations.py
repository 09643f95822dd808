"""Activation functions, softmax among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from crest_onnx.operators.node import Node, Operator


def _softmax(function: Callable[..., Tensor]) -> Operator:
    """Return a softmax along one axis; before opset 13 along all axes from that one on."""

    def operator(node: Node, x: Tensor) -> Tensor:
        if node.opset >= 13:
            return function(x, dim=node.get("axis", -1))
        axis = node.get("axis", 1) % max(x.dim(), 1)
        return function(x.flatten(axis), dim=axis).reshape(x.shape)

    return operator


def _hardmax(node: Node, x: Tensor) -> Tensor:
    """Return one at the first maximum along the axis, zero elsewhere."""
    axis = node.get("axis", -1 if node.opset >= 13 else 1) % max(x.dim(), 1)
    flat = x if node.opset >= 13 else x.flatten(axis)
    best = flat.argmax(axis, keepdim=True)
    return torch.zeros_like(flat).scatter(axis, best, 1.0).reshape(x.shape)


def _leaky(node: Node, x: Tensor) -> Tensor:
    return F.leaky_relu(x, node.get("alpha", 0.01))


def _prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def _elu(node: Node, x: Tensor) -> Tensor:
    return F.elu(x, node.get("alpha", 1.0))


def _celu(node: Node, x: Tensor) -> Tensor:
    return F.celu(x, node.get("alpha", 1.0))


def _selu(node: Node, x: Tensor) -> Tensor:
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0.0)))


def _gelu(node: Node, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=node.get("approximate", "none"))


def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    return (node.get("alpha", 0.2) * x + node.get("beta", 0.5)).clamp(0.0, 1.0)


def _hard_swish(node: Node, x: Tensor) -> Tensor:
    return x * (x / 6 + 0.5).clamp(0.0, 1.0)


def _thresholded(node: Node, x: Tensor) -> Tensor:
    return torch.where(x > node.get("alpha", 1.0), x, torch.zeros_like(x))


def _softplus(node: Node, x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _swish(node: Node, x: Tensor) -> Tensor:
    return x * torch.sigmoid(node.get("alpha", 1.0) * x)


def _shrink(node: Node, x: Tensor) -> Tensor:
    limit, bias = node.get("lambd", 0.5), node.get("bias", 0.0)
    zero = torch.zeros_like(x)
    return torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, zero)).to(x.dtype)


OPERATORS: Mapping[str, Operator] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Hardmax": _hardmax,
    "LeakyRelu": _leaky,
    "LogSoftmax": _softmax(F.log_softmax),
    "Mish": lambda node, x: F.mish(x),
    "PRelu": _prelu,
    "Relu": lambda node, x: torch.relu(x),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": lambda node, x: torch.sigmoid(x),
    "Softmax": _softmax(F.softmax),
    "Softplus": _softplus,
    "Softsign": lambda node, x: x / (1 + x.abs()),
    "Swish": _swish,
    "Tanh": lambda node, x: torch.tanh(x),
    "ThresholdedRelu": _thresholded,
}
