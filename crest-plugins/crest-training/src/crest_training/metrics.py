"""Deterministic metrics of hydrology: metric(simulated, observed), time along the first axis.

Times without observation (nan) are left out. A simulated nan beside an observation makes the answer
nan: a model that fails to answer is not scored on the rest. Without any observation the answer is
nan. The parts of KGE are in metrics_kge, the flow duration curve in metrics_flow_duration, peaks in
metrics_peaks, anomalies in metrics_anomaly, ensembles in metrics_ensemble, mixtures in metrics_mixture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crest_training.pairs import Floats, average, paired, spread, total


def nse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the Nash-Sutcliffe efficiency 1 - sum (s - o)^2 / sum (o - mean o)^2.

    1 is perfect, 0 as good as the mean of the observations; nan where the observations are constant.
    Nash and Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6.

    >>> float(nse([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]))
    0.5
    """
    s, o = paired(simulated, observed)
    varies = spread(o, o) > 0
    squares = total((o - average(o, o)) ** 2, o)
    return np.where(varies, 1.0 - total((s - o) ** 2, o) / np.where(varies, squares, 1.0), np.nan)


def rmse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the root-mean-square error sqrt(mean (s - o)^2), in the units of the field.

    >>> float(rmse([1.0, 2.0], [1.0, 4.0])).__round__(4)
    1.4142
    """
    s, o = paired(simulated, observed)
    return np.sqrt(average((s - o) ** 2, o))


def ubrmse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the unbiased root-mean-square error sqrt(rmse^2 - bias^2), in the units of the field.

    Entekhabi et al. (2010), doi:10.1175/2010JHM1223.1.

    >>> float(ubrmse([2.0, 3.0], [1.0, 2.0]))
    0.0
    """
    s, o = paired(simulated, observed)
    error = s - o
    return np.sqrt(average((error - average(error, o)) ** 2, o))


def bias(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the mean of simulated minus observed, in the units of the field.

    >>> float(bias([2.0, 3.0], [1.0, 2.0]))
    1.0
    """
    s, o = paired(simulated, observed)
    return average(s - o, o)


def beta_nse(simulated: ArrayLike, observed: ArrayLike) -> Floats:
    """Return the bias divided by the standard deviation of the observations, (mean s - mean o) / std o.

    The bias term of the decomposed NSE, 0 is perfect. Gupta et al. (2009), eq. 4, doi:10.1016/j.jhydrol.2009.08.003.

    >>> float(beta_nse([2.0, 4.0], [1.0, 3.0]))
    1.0
    """
    s, o = paired(simulated, observed)
    deviation = spread(o, o)
    return np.where(deviation > 0, average(s - o, o) / np.where(deviation > 0, deviation, 1.0), np.nan)
