"""Operators that make values: constants, shapes, ranges, casts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator


def _constant(node: Node) -> Tensor:
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, Tensor):
            return value.to(node.working) if value.dtype == torch.float32 else value
        if name in ("value_float", "value_floats"):
            return torch.tensor(value, dtype=node.working)
        if name in ("value_int", "value_ints"):
            return torch.tensor(value, dtype=torch.int64)
    raise node.refusal(f"a constant with the attributes {sorted(node.attributes)}")


def _constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value = node.get("value", torch.zeros(1))
    dtype = node.working if value.dtype == torch.float32 else value.dtype
    return torch.full(shape.tolist(), value.item(), dtype=dtype, device=shape.device)


def _shape(node: Node, x: Tensor) -> Tensor:
    return torch.tensor(x.shape, dtype=torch.int64)[node.get("start", 0) : node.get("end")]


def _size(node: Node, x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64)


def _range(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Return start + i delta below the limit, the count as the standard has it."""
    count = max(int(torch.ceil((limit - start).double() / delta.double())), 0)
    return start + torch.arange(count, device=start.device).to(start.dtype) * delta


def _cast(node: Node, x: Tensor) -> Tensor:
    return x.to(node.dtype(node.get("to")))


def _cast_like(node: Node, x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype)


def _eye(node: Node, x: Tensor) -> Tensor:
    code = node.get("dtype")
    dtype = x.dtype if code is None else node.dtype(code)
    rows, columns = torch.arange(x.shape[0]), torch.arange(x.shape[1])
    return (columns - rows.unsqueeze(1) == node.get("k", 0)).to(dtype)


def _one_hot(node: Node, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    count, axis = int(depth), node.get("axis", -1)
    indices = indices.long()
    places = torch.where(indices < 0, indices + count, indices).unsqueeze(-1)
    hot = places == torch.arange(count, device=indices.device)
    off, on = values.unbind()
    return torch.where(hot, on, off).movedim(-1, axis)


def _non_zero(node: Node, x: Tensor) -> Tensor:
    return x.nonzero().T


OPERATORS: Mapping[str, Operator] = {
    "Cast": _cast,
    "CastLike": _cast_like,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
}
