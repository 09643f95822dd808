"""Routing by a gamma unit hydrograph: water leaves a basin some days after it was made."""

from __future__ import annotations

import torch
from torch import Tensor

DAYS = 15
"""Length of the unit hydrograph, as in Feng et al. (2022), doi:10.1029/2022WR032404."""


def gamma_hydrograph(shape: Tensor, scale: Tensor, days: int = DAYS) -> Tensor:
    """Return the shares (days, ...) of a gamma distribution t^(a - 1) exp(-t / tau) at the middle of each day.

    They sum to 1; what the distribution has beyond is spread over them.

    >>> gamma_hydrograph(torch.tensor(1.0), torch.tensor(1.0), days=3).sum().item().__round__(6)
    1.0
    """
    middle = torch.arange(days, dtype=shape.dtype, device=shape.device) + 0.5
    middle = middle.reshape(-1, *(1,) * shape.dim())
    return torch.softmax((shape - 1.0) * middle.log() - middle / scale, dim=0)


def route(made: Tensor, shares: Tensor, waiting: Tensor) -> tuple[Tensor, Tensor]:
    """Return (what leaves (time, ...), what still waits) of what is made (time, ...).

    `shares` (days, ...) sum to 1; `waiting` (days - 1, ...) leaves on the coming days, the next one first.
    """
    steps, days = len(made), len(shares)
    quiet = made.new_zeros(days - 1, *made.shape[1:])
    padded = torch.cat([quiet, made, quiet])
    total = torch.cat([waiting, made.new_zeros(made.shape)])
    for day in range(days):
        first = days - 1 - day
        total = total + padded[first : first + steps + days - 1] * shares[day]
    return total[:steps], total[steps:].contiguous()
