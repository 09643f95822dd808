"""The ONNX operators that the interpreter knows, by name: functions (node, *inputs) -> tensor or tensors, in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crest_onnx.operators import (
    activations,
    convolution,
    elementwise,
    indexing,
    linear,
    normalisation,
    padding,
    pooling,
    recurrent,
    reductions,
    resize,
    shapes,
    values,
)
from crest_onnx.operators.node import Node, Operator, Result

__all__ = ["OPERATORS", "Node", "Operator", "Result"]

_FAMILIES = (
    activations, convolution, elementwise, indexing, linear, normalisation, padding, pooling, recurrent, reductions,
    resize, shapes, values,
)  # fmt: skip

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {name: function for family in _FAMILIES for name, function in family.OPERATORS.items()}
)
