"""Gaps: means over what was observed, in which nan never enters the arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor

from crest_core import ForcingError


def filled(observed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the observations with 0 in place of nan, and where they are there.

    A nan must not be computed with, even where the result is thrown away: 0 * nan in the backward pass is nan.
    """
    valid = ~torch.isnan(observed)
    return torch.where(valid, observed, 0.0), valid


def mean_where(valid: Tensor, values: Tensor) -> Tensor:
    """Return the mean of the values where they are valid, 0 where none is."""
    return torch.where(valid, values, 0.0).sum() / valid.sum().clamp(min=1)


def check_shapes(simulated: Tensor, observed: Tensor) -> None:
    """Raise ForcingError where two shapes differ: they would be broadcast to a wrong number without a word."""
    if simulated.shape != observed.shape:
        raise ForcingError(
            f"loss: simulated has the shape {tuple(simulated.shape)}, observed {tuple(observed.shape)}; expected one "
            f"shape (time, sample, *dims)"
        )
