"""The Kling-Gupta efficiency of 2009 and of 2012, and what they are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crest_training.pairs import Floats, average, paired, spread


def kge(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the Kling-Gupta efficiency 1 - sqrt((r - 1)^2 + (a - 1)^2 + (b - 1)^2).

    r is the correlation, a the ratio of standard deviations, b the ratio of means (simulated to observed). 1 is
    perfect, 1 - sqrt(2) = -0.41 as good as the mean. nan where a part is: of constant series there is no
    correlation. Gupta et al. (2009), eq. 9, doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(kge([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])).__round__(3)
    -0.414
    """
    return _efficiency(pearson_r(simulated, observed), kge_alpha(simulated, observed), kge_beta(simulated, observed))


def kge_prime(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the modified efficiency KGE' = 1 - sqrt((r - 1)^2 + (g - 1)^2 + (b - 1)^2).

    g is the ratio of the coefficients of variation (std / mean), so that bias does not act on variability too.
    Kling et al. (2012), doi:10.1016/j.jhydrol.2012.01.011.

    >>> float(kge_prime([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]))
    0.0
    """
    return _efficiency(pearson_r(simulated, observed), kge_gamma(simulated, observed), kge_beta(simulated, observed))


def pearson_r(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the correlation cov(s, o) / (std s std o), part r of KGE; nan where one of them is constant.

    Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(pearson_r([3.0, 2.0, 1.0], [1.0, 2.0, 3.0])).__round__(12)
    -1.0
    """
    s, o = paired(simulated, observed)
    covariance = average((s - average(s, o)) * (o - average(o, o)), o)
    return _ratio(covariance, spread(s, o) * spread(o, o))


def kge_alpha(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the ratio of standard deviations std s / std o, part alpha of KGE; 1 is perfect.

    Gupta et al. (2009), eq. 9, doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(kge_alpha([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]))
    2.0
    """
    s, o = paired(simulated, observed)
    return _ratio(spread(s, o), spread(o, o))


def kge_beta(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the ratio of means mean s / mean o, part beta of KGE; 1 is perfect.

    Meaningless for what has no absolute zero or a mean near it (temperature in degC, anomalies). Gupta et al. (2009),
    eq. 9, doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(kge_beta([2.0, 4.0], [1.0, 2.0]))
    2.0
    """
    s, o = paired(simulated, observed)
    return _ratio(average(s, o), average(o, o))


def kge_gamma(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the ratio of the coefficients of variation (std s / mean s) / (std o / mean o), part gamma of KGE'.

    Kling et al. (2012), doi:10.1016/j.jhydrol.2012.01.011.

    >>> float(kge_gamma([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]))
    1.0
    """
    return _ratio(kge_alpha(simulated, observed), kge_beta(simulated, observed))


def _efficiency(*parts: Floats) -> Floats:
    return 1.0 - np.sqrt(sum(((part - 1.0) ** 2 for part in parts), np.zeros(())))


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return a ratio, nan where it is one to zero."""
    there = below != 0
    return np.where(there, above / np.where(there, below, 1.0), np.nan)
