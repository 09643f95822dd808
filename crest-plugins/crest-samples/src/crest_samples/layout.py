"""Layout: which columns of a packed array belong to which variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Variables side by side along the last axis of an array, each with its own extra dims flattened.

    >>> Layout({"rain": (), "soil_moisture": (4,)}).columns
    {'rain': slice(0, 1, None), 'soil_moisture': slice(1, 5, None)}
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(prod(shape) for shape in self.shapes.values())

    @property
    def columns(self) -> dict[str, slice]:
        """The columns of each variable."""
        widths = [prod(shape) for shape in self.shapes.values()]
        ends = accumulate(widths)
        return {name: slice(end - width, end) for name, width, end in zip(self.shapes, widths, ends, strict=True)}

    def unpack(self, packed: Tensor) -> dict[str, Tensor]:
        """Return views of the variables in a packed tensor (..., column): (..., *extra)."""
        return {
            name: packed[..., columns].unflatten(-1, self.shapes[name])
            if self.shapes[name]
            else packed[..., columns.start]
            for name, columns in self.columns.items()
        }
