"""TensorMap: which fields go where in the packed tensors of a neural network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import EinopsError, rearrange
from torch import Tensor

from crest_fields.errors import FieldError


@dataclass(frozen=True)
class Standardize:
    """(value - mean) / std for each field, in the units of the field.

    >>> scale = Standardize(mean={"rain": 2.0}, std={"rain": 5.0})
    >>> TensorMap("x", ("rain",), "... -> ... field", scale).pack({"rain": torch.tensor([2.0, 12.0])})[0].tolist()
    [[0.0], [2.0]]
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]

    def __post_init__(self) -> None:
        bad = [name for name, value in self.std.items() if not 0 < value < math.inf]
        bad += [f"mean of {name}" for name, value in self.mean.items() if not math.isfinite(value)]
        if bad or set(self.mean) != set(self.std):
            raise FieldError(
                f"Standardize: expected a finite mean and a positive std for the same fields, got mean of "
                f"{sorted(self.mean)} and std of {sorted(self.std)}, not positive or not finite: {bad}"
            )


@dataclass(frozen=True)
class TensorMap:
    """Fields packed into one tensor, in einops notation: "time ... -> time (...) field".

    Left of the arrow stand the axes of each field, `...` being leading dims and cells; `field` is where the fields are
    stacked. Statics are repeated over time. `unpack` goes from the right side back to the left. Both return contiguous
    tensors: torch's kernels, and so the last bits, differ by the layout in memory, which a restart does not keep.

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
        listed = [] if isinstance(self.fields, str) else list(self.fields)
        if not listed or len(set(listed)) != len(listed) or set(self.static) - set(listed):
            raise FieldError(
                f"TensorMap {self.name}: expected distinct field names such as ('rain',), and statics among them, got "
                f"fields {self.fields!r} and static {self.static!r}"
            )
        if self.scale and set(listed) - set(self.scale.mean):
            without = sorted(set(listed) - set(self.scale.mean))
            raise FieldError(f"TensorMap {self.name}: no scale for {without}; it has {sorted(self.scale.mean)}")
        left, _, right = self.pattern.partition("->")
        shape = (1,) * len(self.axes)
        try:
            self._unpack(rearrange(torch.zeros(*shape, len(listed)), f"{left} field -> {right}"), shape)
        except (EinopsError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise FieldError(
                f"TensorMap {self.name}: pattern {self.pattern!r} is not 'axes -> axes with field', names and ... left "
                f"of the arrow, such as 'time ... -> time (...) field': {reason}"
            ) from error

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of each field: the left side of the pattern."""
        return tuple(self.pattern.partition("->")[0].split())

    def pack(self, values: Mapping[str, Tensor]) -> tuple[Tensor, tuple[int, ...]]:
        """Return the packed tensor, and the common shape of the fields that `unpack` needs."""
        missing = [name for name in self.fields if name not in values]
        if missing:
            raise FieldError(f"TensorMap {self.name}: missing {missing}, got {sorted(values)}")
        shape = self._common_shape({name: values[name].shape for name in self.fields})
        left, _, right = self.pattern.partition("->")
        stacked = torch.stack([values[name].expand(shape) for name in self.fields], dim=-1)
        if self.scale:
            mean, std = self._moments.to(stacked)
            stacked = (stacked - mean) / std
        return rearrange(stacked, f"{left} field -> {right}").contiguous(), shape

    def unpack(self, packed: Tensor, shape: Sequence[int]) -> dict[str, Tensor]:
        """Return each field of a packed tensor in the shape of the left side, scaled back to its units."""
        try:
            stacked = self._unpack(packed, shape)
        except (EinopsError, ValueError) as error:
            raise FieldError(
                f"TensorMap {self.name}: a tensor {tuple(packed.shape)} does not fit {self.pattern!r} with "
                f"{len(self.fields)} fields of shape {tuple(shape)}"
            ) from error
        if self.scale:
            mean, std = self._moments.to(stacked)
            stacked = stacked * std + mean
        return {name: value.contiguous() for name, value in zip(self.fields, stacked.unbind(-1), strict=True)}

    @cached_property
    def _moments(self) -> Tensor:
        """Means and standard deviations (2, field)."""
        both = (self.scale.mean, self.scale.std) if self.scale else ()
        return torch.tensor([[moment[name] for name in self.fields] for moment in both], dtype=torch.float64)

    def _common_shape(self, shapes: Mapping[str, torch.Size]) -> tuple[int, ...]:
        """Return the shape of the fields that move; statics have its last axes only."""
        moving = {shape for name, shape in shapes.items() if name not in self.static}
        shape, *others = moving or set(shapes.values())
        static = {shapes[name] for name in self.static if moving}
        spare = len(shape) - len(self.axes)
        fits = spare == 0 or ("..." in self.axes and spare >= -1)
        if others or not fits or static - {shape[i:] for i in range(1, len(shape) + 1)}:
            listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
            raise FieldError(
                f"TensorMap {self.name}: expected fields of one shape '{' '.join(self.axes)}', and statics "
                f"{list(self.static)} without the time axis, got {listed}; expand them to the same leading dims"
            )
        return tuple(shape)

    def _unpack(self, packed: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the fields stacked along the last axis; `...` is written out, since einops asks for it in brackets."""
        rest = " ".join(f"axis{i}" for i in range(len(shape) - len(self.axes) + 1))
        left, _, right = self.pattern.replace("...", rest).partition("->")
        sizes = dict(zip(left.split(), shape, strict=True))
        return rearrange(packed, f"{right} -> {left} field", field=len(self.fields), **sizes)
