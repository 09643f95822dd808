"""Element-wise arithmetic, comparison and logic; shapes broadcast as numpy's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator


def _one(function: Callable[..., Tensor]) -> Operator:
    return lambda node, x: function(x)


def _two(function: Callable[..., Tensor]) -> Operator:
    return lambda node, a, b: function(a, b)


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda node, *values: reduce(function, values)


def _divide(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return a / b; integers are cut towards zero."""
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _power(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)


def _mod(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the remainder with the sign of b, or of a where fmod=1."""
    return torch.fmod(a, b) if node.get("fmod", 0) else torch.remainder(a, b)


def _mean(node: Node, *values: Tensor) -> Tensor:
    return reduce(torch.add, values) / len(values)


def _clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    if node.opset < 11:
        return x.clamp(node.get("min", -math.inf), node.get("max", math.inf))
    return x if low is None and high is None else x.clamp(low, high)


def _larger(a: Tensor, b: Tensor) -> Tensor:
    """Return the larger of two; at a tie the gradient is whole, as of clamp: a's, or b's where a is a constant.

    torch.maximum would halve it, so that max(x, 0) had the slope 0.5 on every dry day.
    """
    return b.clamp(min=a) if b.requires_grad and not a.requires_grad else a.clamp(min=b)


def _smaller(a: Tensor, b: Tensor) -> Tensor:
    return b.clamp(max=a) if b.requires_grad and not a.requires_grad else a.clamp(max=b)


def _is_inf(node: Node, x: Tensor) -> Tensor:
    up, down = torch.isposinf(x), torch.isneginf(x)
    return (up & bool(node.get("detect_positive", 1))) | (down & bool(node.get("detect_negative", 1)))


def _shift(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return a << b if node.get("direction") == "LEFT" else a >> b


def _where(node: Node, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition, a, b)


_ONE: Mapping[str, Callable[..., Tensor]] = {
    "Abs": torch.abs, "Acos": torch.acos, "Acosh": torch.acosh, "Asin": torch.asin, "Asinh": torch.asinh,
    "Atan": torch.atan, "Atanh": torch.atanh, "BitwiseNot": torch.bitwise_not, "Ceil": torch.ceil, "Cos": torch.cos,
    "Cosh": torch.cosh, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor, "IsNaN": torch.isnan,
    "Log": torch.log, "Neg": torch.neg, "Not": torch.logical_not, "Reciprocal": torch.reciprocal,
    "Round": torch.round, "Sign": torch.sign, "Sin": torch.sin, "Sinh": torch.sinh, "Sqrt": torch.sqrt,
    "Tan": torch.tan,
}  # fmt: skip
_TWO: Mapping[str, Callable[..., Tensor]] = {
    "Add": torch.add, "And": torch.logical_and, "BitwiseAnd": torch.bitwise_and, "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor, "Equal": torch.eq, "Greater": torch.gt, "GreaterOrEqual": torch.ge,
    "Less": torch.lt, "LessOrEqual": torch.le, "Mul": torch.mul, "Or": torch.logical_or, "Sub": torch.sub,
    "Xor": torch.logical_xor,
}  # fmt: skip

OPERATORS: Mapping[str, Operator] = {
    **{name: _one(function) for name, function in _ONE.items()},
    **{name: _two(function) for name, function in _TWO.items()},
    "BitShift": _shift,
    "Clip": _clip,
    "Div": _divide,
    "IsInf": _is_inf,
    "Max": _many(_larger),
    "Mean": _mean,
    "Min": _many(_smaller),
    "Mod": _mod,
    "Pow": _power,
    "Sum": _many(torch.add),
    "Where": _where,
}
