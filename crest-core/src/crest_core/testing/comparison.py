"""Comparison: where and by how much two runs differ, in words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from crest_core.component import Tensors
from crest_core.testing.records import Finding, failed, passed, warned
from crest_fields.fields import FieldSpec

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
"""Largest difference, of the field's maximum, where batching or chunking differs; ten times as much is a failure."""
LOOSE = 1e-2  # other number types, such as bfloat16


def identical(got: Tensors, expected: Tensors, what: str) -> Finding:
    """Return a failure that names field and place where tensors are not equal bit for bit (nan equals nan)."""
    if set(got) != set(expected):
        return failed(f"{what}: {sorted(got)} came, then {sorted(expected)}")
    for name, value in expected.items():
        other = got[name]
        if other.shape != value.shape or other.dtype != value.dtype:
            return failed(f"{what}: {name} is {form(other)}, then {form(value)}")
        if not torch.equal(bits(other), bits(value)):
            return failed(f"{what}: {_worst(name, other, value)}")
    return passed("equal bit for bit")


def alike(got: Tensors, expected: Tensors, dtype: torch.dtype, what: str) -> Finding:
    """Return a failure where tensors differ by more than TOLERANCE times 10, a warning above TOLERANCE."""
    limit, worst, where = TOLERANCE.get(dtype, LOOSE), 0.0, ""
    for name, value in expected.items():
        other = got[name]
        if other.shape != value.shape:
            return failed(f"{what}: {name} has the shape {tuple(other.shape)}, expected {tuple(value.shape)}")
        size = difference(other, value)
        if not size <= worst:
            worst, where = size, f"{what}: {_worst(name, other, value)}"
    if not worst <= 10 * limit:
        return failed(where)
    if worst > limit:
        return warned(f"{where}; expected at most {limit:g}")
    return passed(f"largest difference {worst:.1g} of the field's maximum")


def difference(got: Tensor, expected: Tensor) -> float:
    """Return the largest |got - expected| relative to the largest |expected|; inf where only one is finite."""
    if not expected.numel():
        return 0.0
    a, b = got.detach().double(), expected.detach().double()
    if not torch.equal(a.isfinite(), b.isfinite()):
        return float("inf")
    gap = torch.nan_to_num(a - b, nan=0.0).abs().max()
    scale = torch.nan_to_num(b, nan=0.0, posinf=0.0, neginf=0.0).abs().max()
    return float(gap / scale) if scale else (0.0 if not gap else float("inf"))


def bits(value: Tensor) -> Tensor:
    """Return the bytes of a tensor, so that nan equals itself."""
    return value.detach().contiguous().reshape(-1).view(torch.uint8) if value.numel() else value.detach()


def form(value: object) -> str:
    """Return number type and shape, or the type of what is no tensor."""
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def place(index: Sequence[int], spec: FieldSpec) -> str:
    """Return an index (*lead, *dims) in words: "lead 1, cell 0"."""
    names = [*["lead"] * (len(index) - len(spec.dims)), *spec.dims]
    return ", ".join(f"{name} {number}" for name, number in zip(names, index, strict=True))


def _worst(name: str, got: Tensor, expected: Tensor) -> str:
    gap = (got.detach().double() - expected.detach().double()).abs()
    gap = torch.where(got.isfinite() & expected.isfinite(), gap, (bits_differ(got, expected)).double() * float("inf"))
    flat = int(torch.nan_to_num(gap, nan=0.0, posinf=float("inf")).argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(flat), gap.shape)]
    a, b = float(got[tuple(index)].detach()), float(expected[tuple(index)].detach())
    return f"{name} at index {index} is {a!r} and {b!r}, a difference of {difference(got, expected):.2g} of its maximum"


def bits_differ(got: Tensor, expected: Tensor) -> Tensor:
    """Return where two tensors differ, nan being equal to nan."""
    return ~((got == expected) | (got.isnan() & expected.isnan()))
