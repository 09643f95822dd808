"""Lagged discharge with gaps: a fill and a flag, and observations held out at random while training."""

from __future__ import annotations

import torch
from torch import Tensor

from crest_core import FieldError


def filled_and_flagged(scaled: Tensor) -> tuple[Tensor, Tensor]:
    """Return (values with 0, the mean, where they are nan; 1 where they are nan, else 0)."""
    missing = torch.isnan(scaled)
    return torch.where(missing, torch.zeros_like(scaled), scaled), missing.to(scaled.dtype)


def gaps(
    steps: int, columns: int, *, fraction: float, length: float | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Return where observations are held out, (steps, columns): a share `fraction`, in gaps of mean `length` steps.

    A Markov chain of two states in its stationary state: a gap ends with probability 1 / length, and begins with
    fraction / (1 - fraction) / length. Without a length all steps are independent of each other, without a generator
    they are drawn from torch's own stream.

    >>> gaps(4, 2, fraction=1.0, generator=torch.Generator().manual_seed(1)).all().item()
    True
    """
    check_gaps(fraction, length)
    draw = torch.rand(steps, columns, generator=generator, device=generator.device if generator else None)
    held = draw < fraction
    if length is None or fraction in (0.0, 1.0) or not steps:
        return held
    begin, stay = draw < fraction / (1.0 - fraction) / length, draw < 1.0 - 1.0 / length
    rows = [held[0]]
    for index in range(1, steps):
        rows.append(torch.where(rows[-1], stay[index], begin[index]))
    return torch.stack(rows)


def check_gaps(fraction: float, length: float | None) -> None:
    """Raise FieldError for a share or a mean length that cannot be."""
    if not 0.0 <= fraction <= 1.0 or (length is not None and length < 1.0):
        raise FieldError(f"hold-out: share {fraction:g} and mean length {length}; expected 0 to 1, and 1 or more")
    if length is not None and fraction < 1.0 and fraction > (1.0 - fraction) * length:
        raise FieldError(
            f"hold-out: gaps of {length:g} steps on average cannot cover {fraction:g} of the time; expected a length "
            f"of {fraction / (1.0 - fraction):g} or more"
        )
