"""Triple collocation: the errors of three independent estimates of one quantity, without a truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crest_training.pairs import Floats, average


@dataclass(frozen=True)
class Collocation:
    """What three estimates say about each other; the first axis is the estimate."""

    error_std: Floats
    """Standard deviation of the random error (3, *places), each in the units of its own estimate."""
    correlation: Floats
    """Correlation with the unknown truth (3, *places)."""
    count: Floats
    """Times at which all three are there, (*places)."""


def triple_collocation(first: ArrayLike, second: ArrayLike, third: ArrayLike) -> Collocation:
    """Return error and correlation of three estimates (time, *places), over the times that all three have.

    With covariances Q: error variance of 1 is Q11 - Q12 Q13 / Q23, its squared correlation Q12 Q13 / (Q11 Q23). Each
    estimate is a linear function of the truth plus an error; the errors must not depend on the truth or on each
    other. Some hundred times are needed (Zwieback et al. 2012: 500); nan where the sample contradicts the assumptions
    (a negative variance). Stoffelen (1998), doi:10.1029/97JC03180; McColl et al. (2014),
    doi:10.1002/2014GL061322.
    """
    three = [np.asarray(one, dtype=np.float64) for one in (first, second, third)]
    if len({one.shape for one in three}) != 1 or three[0].ndim == 0:
        raise ValueError(
            f"triple collocation: the estimates have shapes {[one.shape for one in three]}; expected the same shape, "
            f"time along the first axis; select the common times and places first"
        )
    both = sum(three, np.zeros(()))  # nan where one of them is
    deviations = [one - average(one, both) for one in three]
    errors, correlations = [], []
    for n in range(3):
        own, left, right = (deviations[(n + k) % 3] for k in range(3))
        variance = average(own * own, both)
        products = average(own * left, both) * average(own * right, both)
        cross = average(left * right, both)
        with np.errstate(invalid="ignore", divide="ignore"):
            signal = products / cross
            errors.append(np.sqrt(np.where(signal >= 0, variance - signal, np.nan)))
            correlations.append(np.sqrt(np.where(signal <= variance, signal / variance, np.nan)))
    return Collocation(np.array(errors), np.array(correlations), (~np.isnan(both)).sum(axis=0).astype(np.float64))
