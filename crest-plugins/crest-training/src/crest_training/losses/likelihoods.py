"""Negative log likelihoods of distributions that a network's head describes: aleatoric uncertainty.

Parameters have one more dim than what is observed, the components of the mixture, before the last: (time, sample,
mixture, cell). Both mixtures are compared for rainfall-runoff models by Klotz et al. (2022),
doi:10.5194/hess-26-1673-2022.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi
from types import MappingProxyType

import torch
from torch import Tensor

from crest_training.losses.gaps import filled, mean_where


@dataclass(frozen=True)
class Likelihood:
    """A negative log likelihood, and the outputs `<prefix>_<part>` that it takes.

    >>> LIKELIHOODS["cmal"].outputs("runoff")
    ('runoff_location', 'runoff_scale', 'runoff_asymmetry', 'runoff_weight')
    """

    parts: tuple[str, ...]
    function: Callable[..., Tensor]

    def outputs(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the outputs that hold the parameters."""
        return tuple(f"{prefix}_{part}" for part in self.parts)

    def moments(self, prefix: str, mean: float, std: float) -> dict[str, tuple[float, float]]:
        """Return mean and std of those outputs that have the units of the target: scales are differences of values."""
        return {f"{prefix}_location": (mean, std), f"{prefix}_scale": (0.0, std)}


def gaussian_mixture(location: Tensor, scale: Tensor, weight: Tensor, observed: Tensor) -> Tensor:
    """Return the mean of -log sum_k w_k N(o; m_k, s_k^2), m being location, s scale above 0, w weights of sum 1.

    In units of the observations. Bishop (1994), Mixture Density Networks, NCRG/94/004, eq. 24.
    """
    target, valid = _beside(observed)
    z = (target - location.to(target)) / scale.to(target)
    each = -0.5 * z**2 - scale.to(target).log() - 0.5 * log(2 * pi)
    return _mixed(each, weight.to(target), valid)


def cmal(location: Tensor, scale: Tensor, asymmetry: Tensor, weight: Tensor, observed: Tensor) -> Tensor:
    """Return the mean of -log sum_k w_k ALD(o; m_k, b_k, t_k), a mixture of asymmetric Laplace distributions.

    ALD(o; m, b, t) = t (1 - t) / b exp(-(o - m) (t - [o < m]) / b), with m location, b scale above 0, t asymmetry
    between 0 and 1, w weights of sum 1. Yu and Moyeed (2001), eq. 2, doi:10.1016/S0167-7152(01)00124-9.
    """
    target, valid = _beside(observed)
    t, b = asymmetry.to(target), scale.to(target)
    error = target - location.to(target)
    each = t.log() + torch.log1p(-t) - b.log() - torch.maximum(t * error, (t - 1) * error) / b
    return _mixed(each, weight.to(target), valid)


def _beside(observed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the observations with a dim of size 1 for the mixture, and where they are there, without it."""
    target, valid = filled(observed)
    return target.unsqueeze(-2), valid


def _mixed(each: Tensor, weight: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of -log sum_k w_k exp(each_k); a weight that is 0 in float32 keeps a finite gradient."""
    tiny = torch.finfo(weight.dtype).tiny
    return mean_where(valid, -torch.logsumexp(weight.clamp(min=tiny).log() + each, dim=-2))


LIKELIHOODS: Mapping[str, Likelihood] = MappingProxyType(
    {
        "gaussian-mixture": Likelihood(("location", "scale", "weight"), gaussian_mixture),
        "cmal": Likelihood(("location", "scale", "asymmetry", "weight"), cmal),
    }
)
