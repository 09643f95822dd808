"""Losses with gaps: loss(simulated, observed, scale=None); nan in what is observed leaves no trace."""

from crest_training.losses.likelihoods import LIKELIHOODS, Likelihood, cmal, gaussian_mixture
from crest_training.losses.points import POINTS, Loss, mae, mse, nse, quantile, rmse
from crest_training.losses.spaces import Logarithm, Root, Standardised

__all__ = [
    "LIKELIHOODS",
    "POINTS",
    "Likelihood",
    "Logarithm",
    "Loss",
    "Root",
    "Standardised",
    "cmal",
    "gaussian_mixture",
    "mae",
    "mse",
    "nse",
    "quantile",
    "rmse",
]
