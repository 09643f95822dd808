"""Patches: images around places, seen as views of the whole grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crest_samples.matching import Match
from crest_samples.reading import refuse_infinite
from crest_samples.source import Source


@dataclass(frozen=True, eq=False)
class Patches:
    """Variables of a grid, (time, *extra, y, x) or without time, and the first row and column of each place's patch."""

    values: Mapping[str, Tensor]
    moving: frozenset[str]
    size: tuple[int, int]
    row: Tensor  # (place,)
    column: Tensor
    required: bool
    units: Mapping[str, str]

    def gather(self, place: Tensor, start: Tensor, length: int) -> dict[str, Tensor]:
        """Return images: (time, sample, *extra, y, x), those without time (sample, *extra, y, x)."""
        row, column = self.row[place], self.column[place]
        taken = {}
        for name, values in self.values.items():
            view = self._windows(values, length if name in self.moving else None)
            if name in self.moving:  # (start, row, column, time, *extra, y, x)
                taken[name] = view[start, row, column].transpose(0, 1)
            else:
                taken[name] = view[row, column]
        return taken

    def valid(self, steps: int) -> Tensor:
        """Return the number of values in the patch of each place at each time, (place, time)."""
        counts = torch.zeros(len(self.row), steps, dtype=torch.int32)
        if self.required:
            for name, values in self.values.items():
                present = (~torch.isnan(values)).to(torch.int32)
                present = present.flatten(1, -3).sum(1) if name in self.moving and values.dim() > 3 else present
                present = present if name in self.moving else present.reshape(-1, *values.shape[-2:]).sum(0, True)
                counts += _box_sums(present, self.size)[:, self.row, self.column].T.to(torch.int32)
        return counts

    def count(self) -> int:
        """Return how many required values one step of a complete patch holds."""
        tall, wide = self.size
        extra = (values.shape[name in self.moving : -2].numel() for name, values in self.values.items())
        return sum(extra) * tall * wide if self.required else 0

    def _windows(self, values: Tensor, length: int | None) -> Tensor:
        """Return a view (start, row, column, time, *extra, y, x), without start and time where length is None."""
        tall, wide = self.size
        view = values.unfold(-2, tall, 1).unfold(-2, wide, 1)  # (time, *extra, row, column, y, x)
        if length is None:
            return view.movedim((-4, -3), (0, 1))
        view = view.unfold(0, length, 1)  # (start, *extra, row, column, y, x, time)
        return view.movedim((-5, -4, -1), (1, 2, 3))


def patches_of(source: Source, match: Match, first: int, steps: int, dtype: torch.dtype) -> Patches:
    """Read the whole grid of a source, and find the patch of each place; all places must be matched."""
    tall, wide = source.patch or (1, 1)
    values, moving = {}, set()
    for name in source.variables:
        variable = source.data[name]
        if source.moves(name):
            moving.add(name)
            variable = variable.isel(time=slice(first, first + steps)).transpose("time", ..., "y", "x")
        read = np.ascontiguousarray(variable.transpose(..., "y", "x").values)
        values[name] = torch.from_numpy(read).to(dtype)
        refuse_infinite(int(torch.isinf(values[name]).sum()), source, name, str(dtype).removeprefix("torch."))
    cells, columns = match.cells(), source.data.sizes["x"]
    row, column = cells // columns - (tall - 1) // 2, cells % columns - (wide - 1) // 2
    units = {name: str(source.data[name].attrs.get("units", "")) for name in values}
    return Patches(
        values,
        frozenset(moving),
        (tall, wide),
        torch.from_numpy(row),
        torch.from_numpy(column),
        not source.optional,
        units,
    )


def _box_sums(present: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the sum over each box of (time, y, x), by the corners of cumulative sums."""
    tall, wide = size
    total = torch.nn.functional.pad(present.cumsum(1).cumsum(2), (1, 0, 1, 0))
    return total[:, tall:, wide:] - total[:, :-tall, wide:] - total[:, tall:, :-wide] + total[:, :-tall, :-wide]
