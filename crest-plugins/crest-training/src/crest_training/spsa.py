"""SPSA over whole runs: gradients of models that have none, from a few evaluations of a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def spsa_gradient(
    loss: Callable[[], Tensor],
    parameters: Sequence[Tensor],
    generator: torch.Generator,
    *,
    pairs: int = 1,
    step: float = 1e-3,
) -> list[Tensor]:
    """Return the SPSA estimate of d loss / d parameters from 2 * pairs evaluations of a whole run.

    `loss` reads the parameters, which are moved in place and put back. Spall (1992), doi:10.1109/9.119632.
    """
    saved = [parameter.detach().clone() for parameter in parameters]
    gradients = [torch.zeros_like(parameter) for parameter in saved]

    def loss_at(distance: float, signs: Sequence[Tensor]) -> float:
        for parameter, base, sign in zip(parameters, saved, signs, strict=True):
            parameter.copy_(base + distance * sign)
        return float(loss())

    with torch.no_grad():
        try:
            for _ in range(pairs):
                signs = [(2 * torch.randint(0, 2, base.shape, generator=generator) - 1).to(base) for base in saved]
                slope = (loss_at(step, signs) - loss_at(-step, signs)) / (2 * step)
                for gradient, sign in zip(gradients, signs, strict=True):
                    gradient += slope * sign / pairs
        finally:
            for parameter, base in zip(parameters, saved, strict=True):
                parameter.copy_(base)
    return gradients
