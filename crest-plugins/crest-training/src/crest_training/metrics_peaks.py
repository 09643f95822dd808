"""Peaks: how many steps the simulated ones lie beside the observed ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crest_training.pairs import Floats, paired

BETWEEN = 100  # steps, at least, between two peaks


def peak_timing(simulated: ArrayLike, observed: ArrayLike, *, window: int = 3) -> Floats:
    """Return the mean distance in time [steps] from observed peaks to simulated ones; nan without a peak.

    Peaks of the observations rise by more than a standard deviation above what surrounds them and lie at least 100
    steps apart. The simulated peak is at the same step if that is higher than both of its neighbours, else at the
    highest value at most `window` steps away; so no error exceeds `window`. Peaks with a gap within `window` do not
    count. Kratzert et al. (2021), appendix, doi:10.5194/hess-25-2685-2021. Time is regular; cost: a loop over places.

    >>> observed = np.zeros(9); observed[4] = 1.0
    >>> float(peak_timing(np.roll(observed, 2), observed))
    2.0
    """
    s, o = paired(simulated, observed)
    flat = [_of_one(a, b, window) for a, b in zip(_columns(s), _columns(o), strict=True)]
    return np.array(flat, dtype=np.float64).reshape(s.shape[1:])


def _columns(values: Floats) -> Floats:
    return values.reshape(len(values), -1).T


def _of_one(s: Floats, o: Floats, window: int) -> float:
    from scipy.signal import find_peaks  # only here: slow to import

    where = np.flatnonzero(~np.isnan(o))  # peaks are sought in what is observed, as one series
    if len(where) == 0 or np.isnan(s[where]).any():
        return np.nan
    found, _ = find_peaks(o[where], distance=BETWEEN, prominence=np.std(o[where]))
    errors = []
    for peak in where[found]:
        if peak < window or peak + window >= len(o) or np.isnan(o[peak - window : peak + window + 1]).any():
            continue
        near = s[peak - window : peak + window + 1]
        if s[peak - 1] < s[peak] > s[peak + 1]:
            errors.append(0)
        else:
            errors.append(abs(int(near.argmax()) - window))
    return float(np.mean(errors)) if errors else np.nan
