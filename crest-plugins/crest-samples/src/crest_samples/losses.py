"""Losses of predictions against targets with gaps: nan in a target leaves no trace, in value or gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import torch
from torch import Tensor

from crest_samples.errors import SampleError

Loss = Callable[[Tensor, Tensor], Tensor]


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean of (prediction - target)^2 over the targets that are there; 0 where there is none.

    >>> mse(torch.tensor([1.0, 5.0]), torch.tensor([3.0, float("nan")]))
    tensor(4.)
    """
    error, valid = _error(prediction, target)
    return (error**2).sum() / valid.sum().clamp(min=1)


def mae(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean of |prediction - target| over the targets that are there; 0 where there is none."""
    error, valid = _error(prediction, target)
    return error.abs().sum() / valid.sum().clamp(min=1)


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the square root of `mse`, with a gradient of 0 where the error is 0."""
    squared = mse(prediction, target)
    return torch.where(squared > 0, torch.where(squared > 0, squared, 1.0).sqrt(), squared)


def nse_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean over series of sum (p - t)^2 / sum (t - mean t)^2 = 1 - NSE, time along the first axis.

    Series with fewer than two different targets have no NSE and are left out; 0 where all are. Nash and Sutcliffe
    (1970), doi:10.1016/0022-1694(70)90255-6.

    >>> nse_loss(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 2.0, 3.0]))
    tensor(0.5000)
    """
    error, valid = _error(prediction, target)
    count = valid.sum(0).clamp(min=1)
    mean = torch.where(valid, target, 0.0).sum(0) / count
    spread = (torch.where(valid, target - mean, 0.0) ** 2).sum(0)
    has = spread > 0
    ratio = torch.where(has, (error**2).sum(0), 0.0) / torch.where(has, spread, 1.0)
    return ratio.sum() / has.sum().clamp(min=1)


def nse_star(std: float | Tensor, eps: float = 0.1) -> Loss:
    """Return the loss mean of (p - t)^2 / (std + eps)^2, with the training standard deviation of each series.

    Kratzert et al. (2019), eq. 1, doi:10.5194/hess-23-5089-2019; eps in the units of std.
    """

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        error, valid = _error(prediction, target)
        return (error**2 / (std + eps) ** 2).sum() / valid.sum().clamp(min=1)

    return loss


def total_loss(
    predictions: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    losses: Mapping[str, Loss],
    weights: Mapping[str, float] | None = None,
) -> Tensor:
    """Return the mean, by weight, of the losses of the targets that hold any value in this batch; 0 where none does."""
    lacking = sorted(set(losses) - set(predictions) | set(losses) - set(targets))
    if lacking or not losses or set(weights or losses) != set(losses):
        raise SampleError(
            f"total_loss: losses of {sorted(losses)}, predictions of {sorted(predictions)}, targets of "
            f"{sorted(targets)} and weights of {sorted(weights or losses)}; expected all to have the same names"
        )
    if wrong := {name: weight for name, weight in (weights or {}).items() if not 0.0 <= weight < inf}:
        raise SampleError(
            f"total_loss: weights {wrong}; expected finite ones of 0 or more: with a negative one "
            "the worse prediction is the better"
        )
    parts, total = [], 0.0
    for name, loss in losses.items():
        weight = (weights or {}).get(name, 1.0)
        parts.append(weight * loss(predictions[name], targets[name]))
        total += weight * float((~torch.isnan(targets[name])).any())
    return torch.stack(parts).sum() / (total or 1.0)


def _error(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return prediction - target, 0 where the target is nan, and where it is not.

    Nan must not enter the arithmetic: 0 * nan in the backward pass is nan.
    """
    if prediction.shape != target.shape:
        raise SampleError(
            f"loss: prediction {tuple(prediction.shape)} and target {tuple(target.shape)}; expected one shape: "
            f"batch.scored(outputs) takes the steps that targets have"
        )
    valid = ~torch.isnan(target)
    return torch.where(valid, prediction - torch.where(valid, target, 0.0), 0.0), valid
