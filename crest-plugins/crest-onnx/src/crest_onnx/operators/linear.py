"""Linear algebra: products of matrices and sums over indices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator


def _gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """Return alpha A B + beta C, A and B transposed where asked."""
    a = a.T if node.get("transA", 0) else a
    b = b.T if node.get("transB", 0) else b
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha == beta == 1.0 and c is not None and c.dim() == 1:
        return torch.addmm(c, a, b)
    product = a @ b if alpha == 1.0 else alpha * (a @ b)
    return product if c is None or beta == 0.0 else product + (c if beta == 1.0 else beta * c)


def _matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def _einsum(node: Node, *values: Tensor) -> Tensor:
    return torch.einsum(node.get("equation").replace(" ", ""), *values)


def _determinant(node: Node, x: Tensor) -> Tensor:
    return torch.linalg.det(x)


OPERATORS: Mapping[str, Operator] = {
    "Det": _determinant,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
