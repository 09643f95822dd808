"""The operators of exported programs that are run: pure functions of tensors and numbers, each named here."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

_ATEN = """
linear.default addmm.default mm.default bmm.default baddbmm.default matmul.default einsum.default
lstm.input gru.input rnn_tanh.input rnn_relu.input
conv1d.default conv2d.default conv3d.default conv_transpose1d.default conv_transpose2d.input
avg_pool1d.default avg_pool2d.default max_pool1d.default max_pool2d.default adaptive_avg_pool1d.default
adaptive_avg_pool2d.default
layer_norm.default group_norm.default softmax.int log_softmax.int scaled_dot_product_attention.default dropout.default
tanh.default sigmoid.default relu.default gelu.default silu.default elu.default leaky_relu.default softplus.default
hardtanh.default hardsigmoid.default hardswish.default mish.default selu.default prelu.default
exp.default expm1.default log.default log1p.default sqrt.default rsqrt.default square.default reciprocal.default
abs.default neg.default sign.default sin.default cos.default floor.default ceil.default round.default erf.default
pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar
add.Tensor add.Scalar sub.Tensor sub.Scalar mul.Tensor mul.Scalar div.Tensor div.Scalar rsub.Scalar rsub.Tensor
minimum.default maximum.default clamp.default clamp.Tensor clamp_min.default clamp_max.default where.self
eq.Scalar eq.Tensor ne.Scalar ne.Tensor gt.Scalar gt.Tensor ge.Scalar ge.Tensor lt.Scalar lt.Tensor le.Scalar le.Tensor
logical_and.default logical_or.default logical_not.default isnan.default
view.default reshape.default flatten.using_ints permute.default transpose.int t.default unsqueeze.default
squeeze.default squeeze.dim squeeze.dims cat.default stack.default split.Tensor split_with_sizes.default chunk.default
slice.Tensor select.int index_select.default gather.default unbind.int unflatten.int movedim.int flip.default
contiguous.default clone.default expand.default expand_as.default pad.default constant_pad_nd.default
mean.default mean.dim sum.default sum.dim_IntList amax.default amin.default cumsum.default
zeros_like.default ones_like.default
"""
_LARGEST_SIZE = 2**40  # of a number that sizes are computed with
CHECKS = frozenset(
    "torch.ops.aten." + name
    for name in ("_assert_tensor_metadata.default", "_assert_scalar.default", "sym_constrain_range_for_size.default")
)
"""What an exporter notes down and nothing reads; left out."""


def _size(tensor: Tensor, dim: int) -> int:
    return tensor.size(dim)


def _whole(function: Callable[[int, int], int]) -> Callable[[int, int], int]:
    """Return arithmetic of sizes that cannot be made to grow for ever."""

    def compute(left: int, right: int) -> int:
        if not all(type(value) is int and abs(value) < _LARGEST_SIZE for value in (left, right)):
            raise ValueError(f"sizes are computed with whole numbers below 2**40, got {left!r} and {right!r}")
        return function(left, right)

    return compute


def _table() -> Mapping[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {}
    for name in _ATEN.split():
        packet, _, overload = name.partition(".")
        table[f"torch.ops.aten.{name}"] = getattr(getattr(torch.ops.aten, packet), overload)
    sizes = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": operator.floordiv}
    table |= {f"_operator.{name}": _whole(function) for name, function in sizes.items()}
    table["torch.ops.aten.sym_size.int"] = _size
    return MappingProxyType(table)


OPERATORS = _table()
