"""Heads: what a network's hidden state says of runoff, as a value or as a distribution.

All work in scaled units; `scale` of what they give is brought to units of runoff by std alone, `location` by mean and
std. Klotz et al. (2022), doi:10.5194/hess-26-1673-2022.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from crest_core import FieldError

_LEAST = 1e-5  # scaled units, smallest scale
_EDGE = 0.01  # asymmetries stay between it and 1 - it, so that the mean stays within about 100 scales


class Head(nn.Module, ABC):
    """From hidden states (..., hidden) to parts (..., mixture), each named; `point` is their mean (...)."""

    parts: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        """Return the parts of the distribution."""

    @abstractmethod
    def point(self, parts: dict[str, Tensor]) -> Tensor:
        """Return the mean of the distribution."""


class PointHead(Head):
    """y = W h + b."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, 1)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        return {"location": self.linear(hidden)}

    def point(self, parts: dict[str, Tensor]) -> Tensor:
        return parts["location"].squeeze(-1)


class GaussianMixtureHead(Head):
    """sum_k w_k N(m_k, s_k^2) with s = softplus(.) and w = softmax(.), of one hidden layer."""

    parts = ("location", "scale", "weight")

    def __init__(self, hidden: int, mixture: int) -> None:
        super().__init__()
        self.layers = _layers(hidden, 3 * mixture)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        location, scale, weight = self.layers(hidden).chunk(3, dim=-1)
        return {"location": location, "scale": softplus(scale) + _LEAST, "weight": torch.softmax(weight, dim=-1)}

    def point(self, parts: dict[str, Tensor]) -> Tensor:
        return (parts["weight"] * parts["location"]).sum(-1)


class AsymmetricLaplaceMixtureHead(Head):
    """CMAL: sum_k w_k ALD(m_k, b_k, t_k); an ALD has the mean m + b (1 - 2 t) / (t (1 - t))."""

    parts = ("location", "scale", "asymmetry", "weight")

    def __init__(self, hidden: int, mixture: int) -> None:
        super().__init__()
        self.layers = _layers(hidden, 4 * mixture)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        location, scale, asymmetry, weight = self.layers(hidden).chunk(4, dim=-1)
        return {
            "location": location,
            "scale": softplus(scale) + _LEAST,
            "asymmetry": _EDGE + (1.0 - 2.0 * _EDGE) * torch.sigmoid(asymmetry),
            "weight": torch.softmax(weight, dim=-1),
        }

    def point(self, parts: dict[str, Tensor]) -> Tensor:
        skew = parts["asymmetry"]
        mean = parts["location"] + parts["scale"] * (1.0 - 2.0 * skew) / (skew * (1.0 - skew))
        return (parts["weight"] * mean).sum(-1)


def make_head(kind: str, hidden: int, mixture: int) -> Head:
    """Return the head named "point", "gaussian-mixture" or "cmal"."""
    if kind == "point":
        return PointHead(hidden)
    if kind == "gaussian-mixture":
        return GaussianMixtureHead(hidden, mixture)
    if kind == "cmal":
        return AsymmetricLaplaceMixtureHead(hidden, mixture)
    raise FieldError(f"streamflow: head {kind!r}; expected 'point', 'gaussian-mixture' or 'cmal'")


def _layers(hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, 100), nn.ReLU(), nn.Linear(100, outputs))
