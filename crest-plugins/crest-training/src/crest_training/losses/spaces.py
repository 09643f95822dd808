"""Spaces in which simulated and observed values are compared; each is a function of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Standardised:
    """(x - mean) / std, with mean and std of the training period.

    >>> import torch
    >>> Standardised(2.0, 4.0)(torch.tensor([10.0]))
    tensor([2.])
    """

    mean: float
    std: float

    def __call__(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std


@dataclass(frozen=True)
class Logarithm:
    """log(x + offset), which makes low flows count; values below 0 count as 0, and give no gradient.

    >>> import torch
    >>> Logarithm(1.0)(torch.tensor([0.0]))
    tensor([0.])
    """

    offset: float

    def __call__(self, values: Tensor) -> Tensor:
        return (values.clamp(min=0.0) + self.offset).log()


@dataclass(frozen=True)
class Root:
    """sqrt(x + offset), between the two; offset above 0 keeps the gradient finite at 0.

    >>> import torch
    >>> Root(1.0)(torch.tensor([3.0]))
    tensor([2.])
    """

    offset: float

    def __call__(self, values: Tensor) -> Tensor:
        return (values.clamp(min=0.0) + self.offset).sqrt()
