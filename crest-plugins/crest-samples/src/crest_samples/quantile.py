"""Quantile: a piecewise linear map from the distribution in training to an even or a normal one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from crest_samples.errors import SampleError


@dataclass(frozen=True)
class Quantile:
    """The straight lines through (knots, scores); beyond the ends the outermost lines go on, so that it inverts.

    >>> Quantile((0.0, 1.0, 10.0), (0.0, 0.5, 1.0))(torch.tensor([0.5, 10.0, 19.0])).tolist()
    [0.25, 1.0, 1.5]
    """

    knots: tuple[float, ...]  # values of the feature, rising
    scores: tuple[float, ...]  # what they become, rising

    def __post_init__(self) -> None:
        fit = len(self.knots) == len(self.scores) > 1
        if not fit or not (_rising(self.knots) and _rising(self.scores)):
            raise SampleError(
                f"quantile: {len(self.knots)} knots and {len(self.scores)} scores; expected as many of both, two or "
                f"more, finite and rising; a feature that does not vary has no quantiles"
            )

    @classmethod
    def fit(cls, values: NDArray[np.float64], count: int = 100, scores: str = "normal") -> Quantile:
        """Return the map through `count` quantiles of values; equal ones (dry days) share their mean score."""
        if scores not in ("normal", "uniform"):
            raise SampleError(f"quantile: scores {scores!r}, expected 'normal' or 'uniform'")
        levels = (np.arange(count) + 0.5) / count
        knots, place = np.unique(np.quantile(values, levels), return_inverse=True)
        shared = np.bincount(place, levels) / np.bincount(place)
        reached = ndtri(shared) if scores == "normal" else shared
        return cls(tuple(map(float, knots)), tuple(map(float, reached)))

    @property
    def width(self) -> float:
        """Largest less least knot."""
        return self.knots[-1] - self.knots[0]

    def __call__(self, values: Tensor) -> Tensor:
        return _along(values, self.knots, self.scores)

    def inverse(self, values: Tensor) -> Tensor:
        """Return the values of scores."""
        return _along(values, self.scores, self.knots)

    def linear(self) -> None:
        """Return None."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return knots and scores."""
        return {"kind": "quantile", "knots": list(self.knots), "scores": list(self.scores)}


def _along(values: Tensor, start: Sequence[float], end: Sequence[float]) -> Tensor:
    x, y = (torch.tensor(one, dtype=torch.float64, device=values.device) for one in (start, end))
    inner = x[1:-1].to(values.dtype).contiguous()
    line = torch.bucketize(values.detach().contiguous(), inner, right=True)  # the number of the line, 0 to n - 2
    slope = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
    return ((values - x[line]) * slope[line] + y[line]).to(values.dtype)


def _rising(numbers: Sequence[float]) -> bool:
    rising = all(low < high for low, high in zip(numbers, numbers[1:], strict=False))
    return rising and all(isfinite(number) for number in numbers)
