"""Layout: which axes of a packed tensor are time, which lie side by side, as its tensor map says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from crest_core import HORIZONTAL, TensorMap

_SIDE_BY_SIDE = {"...", "time", *HORIZONTAL}


@dataclass(frozen=True)
class Layout:
    """The right side of a tensor map's pattern: the names that each axis is made of."""

    axes: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, item: TensorMap) -> Layout:
        """Return the layout of the tensor that a map packs.

        >>> Layout.of(TensorMap("x", ("rain",), "time ... -> time (...) field")).axes
        (('time',), ('...',), ('field',))
        """
        words = re.findall(r"\([^)]*\)|\S+", item.pattern.partition("->")[2])
        return cls(tuple(tuple(word.strip("()").split()) for word in words))

    @property
    def time(self) -> int | None:
        """The axis that is time and nothing else."""
        return self.axes.index(("time",)) if ("time",) in self.axes else None

    def batch(self, rank: int) -> list[int]:
        """Return the axes along which members, samples and columns lie side by side, in a tensor of that rank.

        An axis written "..." without brackets stands for as many as are left.
        """
        places = [place for place, axis in enumerate(self.axes) if "..." in axis and set(axis) <= _SIDE_BY_SIDE]
        spare = rank - len(self.axes)
        if not places:
            return []
        return list(range(places[0], places[0] + 1 + (spare if self.axes[places[0]] == ("...",) else 0)))

    def to_rows(self, value: Tensor) -> Tensor:
        """Return the tensor as (rows, columns): a column for each element of the batch."""
        batch = self.batch(value.dim())
        rest = [axis for axis in range(value.dim()) if axis not in batch]
        return value.permute(*rest, *batch).reshape(-1, self.columns(value.shape))

    def columns(self, shape: Sequence[int]) -> int:
        """Return how many elements the batch of a tensor has."""
        return prod(shape[axis] for axis in self.batch(len(shape)))

    def to_copies(self, value: Tensor, count: int) -> Tensor:
        """Return (copies, rows, columns) of a tensor whose batch holds that many copies, copy by copy."""
        at = self.batch(value.dim())[0]
        return torch.stack([self.to_rows(one) for one in value.chunk(count, at)])

    def from_rows(self, rows: Tensor, shape: Sequence[int]) -> Tensor:
        """Return (copies, rows, columns) in a shape whose batch is `copies` times as long, copy by copy."""
        batch = self.batch(len(shape))
        rest = [axis for axis in range(len(shape)) if axis not in batch]
        copies = rows.shape[0]
        moved = rows.reshape(copies, *(shape[axis] for axis in rest), *(shape[axis] for axis in batch))
        order = [1 + (rest + batch).index(axis) for axis in range(len(shape))]
        at = batch[0] if batch else 0
        moved = moved.permute(*order[:at], 0, *order[at:])
        return moved.reshape(*shape[:at], copies * shape[at], *shape[at + 1 :])
