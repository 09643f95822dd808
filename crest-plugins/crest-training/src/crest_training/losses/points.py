"""Losses of one number for each observation: squares, absolute values, efficiency and quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from crest_core import ForcingError
from crest_training.losses.gaps import check_shapes, filled, mean_where


class Loss(Protocol):
    """A loss: one number of (time, sample, *dims), smaller is better; `scale` divides each error and broadcasts."""

    def __call__(self, simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
        """Return the mean over what was observed, 0 where nothing was."""


def mse(simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
    """Return the mean of ((s - o) / scale)^2.

    >>> mse(torch.tensor([1.0, 5.0]), torch.tensor([3.0, float("nan")]))
    tensor(4.)
    """
    error, valid = _error(simulated, observed, scale)
    return (error**2).sum() / valid.sum().clamp(min=1)


def rmse(simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
    """Return the square root of `mse`, with a gradient of 0 where the error is 0."""
    squared = mse(simulated, observed, scale)
    return torch.where(squared > 0, torch.where(squared > 0, squared, 1.0).sqrt(), squared)


def mae(simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
    """Return the mean of |s - o| / scale."""
    error, valid = _error(simulated, observed, scale)
    return error.abs().sum() / valid.sum().clamp(min=1)


def nse(simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
    """Return NSE*, the mean of ((s - o) / (scale + 0.1))^2, scale being the standard deviation of each series.

    So small and large rivers weigh alike. The standard deviation is that of the training period, in the units of s
    and o, which are standardised ones for the 0.1 to mean a tenth. Kratzert et al. (2019), eq. 1,
    doi:10.5194/hess-23-5089-2019.

    >>> nse(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]), 0.9)
    tensor(2.5000)
    """
    if scale is None:
        raise ForcingError(
            "nse: the loss needs the standard deviation of each series in training; give it as the objective's scale"
        )
    return mse(simulated, observed, scale + 0.1)


def quantile(*levels: float) -> Loss:
    """Return the pinball loss, mean of max(q (o - s), (q - 1) (o - s)), over the levels q.

    With several levels `simulated` has one more dim, of their number, before the last: (time, sample, quantile,
    cell). Koenker and Bassett (1978), doi:10.2307/1913643.

    >>> quantile(0.9)(torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    tensor(0.9000)
    """
    if not levels or not all(0 < level < 1 for level in levels):
        raise ForcingError(f"quantile: the levels are {levels}, expected one or more numbers between 0 and 1")

    def loss(simulated: Tensor, observed: Tensor, scale: Tensor | float | None = None) -> Tensor:
        several = len(levels) > 1
        wanted = observed.unsqueeze(-2).expand(*observed.shape[:-1], len(levels), -1) if several else observed
        shape = (len(levels), 1) if several else (1,)
        level = torch.tensor(levels, dtype=observed.dtype, device=observed.device).reshape(shape)
        divisor = scale.unsqueeze(-2) if several and isinstance(scale, Tensor) and scale.dim() > 1 else scale
        error, valid = _error(simulated, wanted, divisor)
        return mean_where(valid, torch.maximum(-level * error, (1 - level) * error))

    return loss


def _error(simulated: Tensor, observed: Tensor, scale: Tensor | float | None) -> tuple[Tensor, Tensor]:
    """Return (s - o) / scale, 0 where nothing was observed, and where something was."""
    check_shapes(simulated, observed)
    target, valid = filled(observed)
    error = torch.where(valid, simulated.to(observed.dtype) - target, 0.0)
    return error if scale is None else error / scale, valid


POINTS: Mapping[str, Loss] = MappingProxyType({"mse": mse, "rmse": rmse, "mae": mae, "nse": nse})
