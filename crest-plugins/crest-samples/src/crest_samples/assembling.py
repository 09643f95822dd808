"""Assembling: values of sources packed side by side, and the windows that hold enough of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from crest_samples.errors import SampleError
from crest_samples.layout import Layout
from crest_samples.matching import Match
from crest_samples.patches import patches_of
from crest_samples.reading import extra_shape, read, refuse_infinite
from crest_samples.samples import Side
from crest_samples.series import Series, Statics
from crest_samples.source import Source
from crest_samples.transforms import Transform
from crest_samples.window import Window

ROUNDING = 1e-9  # of a share of valid values
Held = Mapping[str, tuple[Tensor, tuple[int, ...], bool, str]]  # values, extra dims, whether required, units


def read_side(
    sources: Sequence[Source],
    matches: Sequence[Match],
    begins: Sequence[int],
    steps: int,
    transforms: Mapping[str, Transform],
    dtype: torch.dtype,
) -> Side:
    """Read one side: series and statics of points side by side, patches apart."""
    moving: dict[str, tuple[Tensor, tuple[int, ...], bool, str]] = {}
    static: dict[str, tuple[Tensor, tuple[int, ...], bool, str]] = {}
    patches = []
    for source, found, first in zip(sources, matches, begins, strict=True):
        if source.patch:
            patches.append(patches_of(source, found, first, steps, dtype))
            continue
        for name in source.variables:
            values = torch.from_numpy(read(source, found, name, first, steps))
            values = (transforms[name](values) if name in transforms else values).to(dtype)
            refuse_infinite(int(torch.isinf(values).sum()), source, name, str(dtype).removeprefix("torch."))
            units = "1" if name in transforms else str(source.data[name].attrs.get("units", ""))
            shape, group = extra_shape(source, name), moving if source.moves(name) else static
            if source.flag:
                group[f"{name}_valid"] = (~torch.isnan(values)).to(dtype), shape, False, "1"
                values = torch.nan_to_num(values, nan=0.0)
            group[name] = values, shape, not source.optional, units
    count = matches[0].weights.shape[0]
    return Side(
        Series(*_packed(moving, (count, steps), dtype)), Statics(*_packed(static, (count,), dtype)), tuple(patches)
    )


def _packed(held: Held, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Layout, Tensor, Tensor, dict[str, str]]:
    """Return variables side by side along the last axis."""
    layout = Layout({name: extra for name, (_, extra, _, _) in held.items()})
    packed = torch.empty(*shape, layout.width, dtype=dtype)
    required = torch.zeros(layout.width, dtype=torch.bool)
    for name, columns in layout.columns.items():
        packed[..., columns], required[columns] = held[name][0], held[name][2]
    return layout, packed, required, {name: units for name, (_, _, _, units) in held.items()}


def hide(side: Side, keep: Tensor) -> int:
    """Put nan where a mask (place, time) is false; return how many values that hides."""
    if side.patches:
        raise SampleError(
            "samples: a mask in time hides values of targets at points, not of images; put nan there first"
        )
    values = side.series.values
    hidden = ~keep[..., None] & ~torch.isnan(values)
    values[hidden] = float("nan")
    return int(hidden.sum())


def valid_windows(
    inputs: Side, targets: Side, window: Window, steps: int, valid_inputs: float, valid_targets: float
) -> tuple[Tensor, list[str]]:
    """Return which windows (place, start) hold enough values, and what was left out."""
    starts = max(steps - window.length + 1, 0)
    held, most = _shares(inputs, steps)
    shown = _window_sums(held, window.length, 0, starts)
    enough = shown >= (valid_inputs - ROUNDING) * most * window.length
    held, most = _shares(targets, steps)
    seen = _window_sums(held, window.scored, window.length - window.scored, starts)
    scored = (seen > 0) & (seen >= (valid_targets - ROUNDING) * most * window.scored)
    total = enough.numel()
    log = [
        f"inputs: {int((~enough).sum())} of {total} windows hold less than the share {valid_inputs:g} of values",
        f"targets: {int((~scored).sum())} of {total} windows hold none, or less than the share {valid_targets:g}",
    ]
    return enough & scored, log


def _shares(side: Side, steps: int) -> tuple[Tensor, int]:
    """Return how many required values each place and time holds, and how many there can be."""
    held = side.series.valid() + side.statics.valid()
    most = int(side.series.required.sum()) + int(side.statics.required.sum())
    for patches in side.patches:
        held = held + patches.valid(steps)
        most += patches.count()
    return held, most


def _window_sums(held: Tensor, length: int, offset: int, starts: int) -> Tensor:
    """Return the sum over `length` steps, `offset` after each start: (place, start)."""
    total = torch.nn.functional.pad(held.cumsum(1, dtype=torch.int32), (1, 0))
    return total[:, offset + length : offset + length + starts] - total[:, offset : offset + starts]
