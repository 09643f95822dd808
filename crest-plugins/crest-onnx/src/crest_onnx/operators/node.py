"""Node: one operation of an ONNX graph, its attributes as Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from crest_core import ComponentError

Result = Tensor | Sequence[Tensor | None]
Operator = Callable[..., Result]

_TYPES: Mapping[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}


@dataclass(frozen=True)
class Node:
    """One operation: what it reads and writes, its attributes, and the number type that stands for FLOAT.

    `working` is float64 where the whole network is computed in double: casts to FLOAT inside the graph must not
    lose what was gained.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    working: torch.dtype = torch.float32

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or its default."""
        return self.attributes.get(name, default)

    def dtype(self, code: int) -> torch.dtype:
        """Return the torch number type of an ONNX code; FLOAT is the working type."""
        if code not in _TYPES:
            raise self.refusal(f"number type {TensorProto.DataType.Name(code)}")
        return self.working if code == TensorProto.FLOAT else _TYPES[code]

    def axes(self, given: Tensor | None = None) -> list[int] | None:
        """Return the axes from the input of newer opsets or the attribute of older ones; None where neither is."""
        found = self.get("axes") if given is None else given.tolist()
        return found if found is None else [int(axis) for axis in found]

    def refusal(self, what: str) -> ComponentError:
        """Return the error of a form of an operator that is not built."""
        return ComponentError(
            f"{self.operator} ({self.name}): the interpreter does not know {what}; use "
            f"gradient=FiniteDifference(step=1e-2), which takes the network as onnxruntime runs it"
        )


def read_node(proto: NodeProto, opset: int, index: int) -> Node:
    """Return the node of a protobuf message; one without a name is named by its place in the graph."""
    return Node(
        operator=proto.op_type,
        name=proto.name or f"node {index}",
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={item.name: _value(item) for item in proto.attribute},
        opset=opset,
    )


def as_tensor(proto: TensorProto) -> Tensor:
    """Return a copy of an ONNX tensor as torch's."""
    return torch.from_numpy(numpy_helper.to_array(proto).copy())


def is_known_type(code: int) -> bool:
    """Return whether torch has the number type of an ONNX code."""
    return code in _TYPES


def _value(item: AttributeProto) -> Any:
    if item.type == AttributeProto.TENSOR:
        return as_tensor(item.t) if is_known_type(item.t.data_type) else item.t
    value = helper.get_attribute_value(item)
    if item.type == AttributeProto.STRING:
        return value.decode()
    if item.type == AttributeProto.STRINGS:
        return [text.decode() for text in value]
    return list(value) if item.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value
