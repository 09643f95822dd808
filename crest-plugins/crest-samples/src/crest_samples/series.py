"""Series: what the places take from sources, packed so that a window is one block of memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from crest_samples.layout import Layout


@dataclass(frozen=True, eq=False)
class Series:
    """Variables of all places and times: (place, time, column), contiguous."""

    layout: Layout
    values: Tensor
    required: Tensor  # (column,), whether missing values count against a window
    units: Mapping[str, str]

    def windows(self, length: int) -> dict[str, Tensor]:
        """Return all windows of each variable, (place, start, time, *extra), without a copy."""
        places, steps, width = self.values.shape
        shape = (places, max(steps - length + 1, 0), length, width)
        return self.layout.unpack(self.values.as_strided(shape, (steps * width, width, width, 1)))

    def gather(self, place: Tensor, start: Tensor, length: int) -> dict[str, Tensor]:
        """Return the windows that begin at `start` in `place`, (time, sample, *extra): one copy for all variables."""
        places, steps, width = self.values.shape
        rows = (places * steps - length + 1, length * width)
        blocks = self.values.as_strided(rows, (width, 1)).index_select(0, place * steps + start)
        return self.layout.unpack(blocks.view(-1, length, width).transpose(0, 1))

    def valid(self) -> Tensor:
        """Return the number of required values at each place and time, (place, time)."""
        return (~torch.isnan(self.values[..., self.required])).sum(-1, dtype=torch.int32)


@dataclass(frozen=True, eq=False)
class Statics:
    """Variables without time: (place, column)."""

    layout: Layout
    values: Tensor
    required: Tensor
    units: Mapping[str, str]

    def gather(self, place: Tensor) -> dict[str, Tensor]:
        """Return the values of places, (sample, *extra)."""
        return self.layout.unpack(self.values.index_select(0, place))

    def valid(self) -> Tensor:
        """Return the number of required values at each place, (place, 1)."""
        return (~torch.isnan(self.values[..., self.required])).sum(-1, keepdim=True, dtype=torch.int32)
