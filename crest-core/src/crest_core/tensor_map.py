"""TensorMap: which fields go where in the packed tensors of a neural network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from crest_core.errors import FieldError


@dataclass(frozen=True)
class Standardize:
    """(value - mean) / std for each field, in the units of the field; `inverse` undoes it."""

    mean: Mapping[str, float]
    std: Mapping[str, float]

    def __post_init__(self) -> None:
        bad = [name for name, value in self.std.items() if not value > 0]
        if bad or set(self.mean) != set(self.std):
            raise FieldError(
                f"Standardize: expected a mean and a positive std for the same fields, got mean of {sorted(self.mean)} "
                f"and std of {sorted(self.std)}, not positive: {bad}"
            )

    def __call__(self, name: str, value: Tensor) -> Tensor:
        """Return the scaled values of one field."""
        return (value - self.mean[name]) / self.std[name]

    def inverse(self, name: str, value: Tensor) -> Tensor:
        """Return values in the field's units."""
        return value * self.std[name] + self.mean[name]


@dataclass(frozen=True)
class TensorMap:
    """Fields packed into one tensor, in einops notation: "time ... -> time (...) field".

    Left of the arrow stand the axes of each field, `...` being leading dims and cells; `field` is where the fields are
    stacked. Statics are repeated over time. `unpack` goes from the right side back to the left.

    >>> tensor_map = TensorMap("x", ("rain", "elevation"), "time ... -> time (...) field", static=("elevation",))
    >>> packed, shape = tensor_map.pack({"rain": torch.ones(5, 2, 3), "elevation": torch.zeros(2, 3)})
    >>> packed.shape, tensor_map.unpack(packed, shape)["rain"].shape
    (torch.Size([5, 6, 2]), torch.Size([5, 2, 3]))
    """

    name: str
    fields: Sequence[str]
    pattern: str = "time ... -> time (...) field"
    scale: Standardize | None = None
    static: Sequence[str] = ()

    def __post_init__(self) -> None:
        left, arrow, right = self.pattern.partition("->")
        if not arrow or "field" in left.split() or "field" not in re.findall(r"\w+", right):
            raise FieldError(
                f"TensorMap {self.name}: pattern {self.pattern!r} is not 'axes -> axes with field', such as "
                f"'time ... -> time (...) field'"
            )
        known = set(self.scale.mean) if self.scale else set(self.fields)
        if set(self.fields) - known:
            raise FieldError(
                f"TensorMap {self.name}: no scale for {sorted(set(self.fields) - known)}; it has {sorted(known)}"
            )

    def pack(self, values: Mapping[str, Tensor]) -> tuple[Tensor, tuple[int, ...]]:
        """Return the packed tensor, and the common shape of the fields that `unpack` needs."""
        missing = [name for name in self.fields if name not in values]
        if missing:
            raise FieldError(f"TensorMap {self.name}: missing {missing}, got {sorted(values)}")
        scaled = {
            name: self.scale(name, values[name]) if self.scale else values[name] for name in self.fields
        }
        moving = [scaled[name].shape for name in self.fields if name not in self.static]
        shape = tuple(torch.broadcast_shapes(*(moving or [v.shape for v in scaled.values()])))
        stacked = torch.stack([value.expand(shape) for value in scaled.values()], dim=-1)
        left, right = self._sides(len(shape))
        return rearrange(stacked, f"{left} field -> {right}"), shape

    def unpack(self, packed: Tensor, shape: Sequence[int]) -> dict[str, Tensor]:
        """Return each field of a packed tensor in the shape of the left side, scaled back to its units."""
        left, right = self._sides(len(shape))
        sizes = dict(zip(left.split(), shape, strict=True))
        try:
            stacked = rearrange(packed, f"{right} -> {left} field", field=len(self.fields), **sizes)
        except ValueError as error:
            raise FieldError(
                f"TensorMap {self.name}: a tensor {tuple(packed.shape)} does not fit {self.pattern!r} with "
                f"{len(self.fields)} fields of shape {tuple(shape)}: {error}"
            ) from error
        values = dict(zip(self.fields, stacked.unbind(-1), strict=True))
        return {name: self.scale.inverse(name, v) if self.scale else v for name, v in values.items()}

    def _sides(self, rank: int) -> tuple[str, str]:
        """Return both sides of the pattern with `...` written out."""
        left, _, right = self.pattern.partition("->")
        named = [axis for axis in left.split() if axis != "..."]
        rest = " ".join(f"axis{i}" for i in range(rank - len(named)))
        return left.replace("...", rest).strip(), right.replace("...", rest).strip()
