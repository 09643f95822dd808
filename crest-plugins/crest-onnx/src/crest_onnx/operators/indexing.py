"""Gather and scatter: reading and writing by index; negative indices count from the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from crest_onnx.operators.node import Node, Operator

_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.get("axis", 0) % x.dim()
    found = x.index_select(axis, _positive(indices, x.shape[axis]).reshape(-1))
    return found.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.get("axis", 0)
    return x.gather(axis, _positive(indices, x.shape[axis]))


def _gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """Return x[indices[..., 0], indices[..., 1], ...] for every element of the leading batch axes."""
    batch = node.get("batch_dims", 0)
    grid = tuple(
        torch.arange(size).reshape(-1, *[1] * (indices.dim() - 2 - axis)) for axis, size in enumerate(x.shape[:batch])
    )
    return x[(*grid, *indices.unbind(-1))]


def _scatter_elements(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis, how = node.get("axis", 0), node.get("reduction", "none")
    places = _positive(indices, x.shape[axis])
    if how == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, _REDUCE[how])


def _scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """Return x with updates at x[indices[..., 0], ...], joined with what is there where `reduction` says so."""
    how, depth = node.get("reduction", "none"), indices.shape[-1]
    rest = x.shape[depth:]
    strides = torch.tensor([int(torch.tensor(x.shape[i + 1 : depth]).prod()) for i in range(depth)])
    sizes = torch.tensor(x.shape[:depth])
    flat = (torch.where(indices < 0, indices + sizes, indices) * strides).sum(-1).reshape(-1)
    table, news = x.reshape(-1, *rest), updates.reshape(-1, *rest)
    if how == "none":
        return table.index_put((flat,), news).reshape(x.shape)
    places = flat.reshape(-1, *[1] * len(rest)).expand(news.shape)
    return table.scatter_reduce(0, places, news, _REDUCE[how]).reshape(x.shape)


def _compress(node: Node, x: Tensor, condition: Tensor) -> Tensor:
    axis = node.get("axis")
    x = x.reshape(-1) if axis is None else x
    return x.index_select(0 if axis is None else axis, condition.nonzero().squeeze(1))


def _positive(indices: Tensor, size: int) -> Tensor:
    return torch.where(indices < 0, indices + size, indices).long()


_SCATTER: Callable[..., Tensor] = _scatter_elements

OPERATORS: Mapping[str, Operator] = {
    "Compress": _compress,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Scatter": _SCATTER,
    "ScatterElements": _SCATTER,
    "ScatterND": _scatter_nd,
}
