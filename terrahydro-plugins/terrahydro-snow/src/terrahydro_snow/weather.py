"""What a day's temperature does to snow: kinks smoothed by the range of the day, exact zeros kept.

Over the day the temperature is taken as spread evenly between T - s and T + s, s being half the daily range.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from crest_core import Tensors

SMALLEST_HALF_RANGE = 0.5  # K; keeps thresholds smooth on days without a range
_SPRING = 81.0  # day of year of the March equinox, as in SNOW-17
_YEAR = 365.25  # days


def temperature(inputs: Tensors, half_range: float | None) -> tuple[Tensor, Tensor]:
    """Return (T, s) [degC, K]: the mean of the day and `half_range`, or both from the extremes where it is None."""
    if half_range is not None:
        mean = inputs["air_temperature"]
        return mean, torch.full_like(mean, half_range)
    high, low = inputs["air_temperature_max"], inputs["air_temperature_min"]
    return 0.5 * (high + low), (0.5 * (high - low)).clamp(min=SMALLEST_HALF_RANGE)


def warm_share(excess: Tensor, half_range: Tensor) -> Tensor:
    """Return 3 u^2 - 2 u^3, u = (T - T0 + s) / 2s within [0, 1]: the share of the day above T0, with smooth ends.

    Exactly 0 where T + s <= T0 and exactly 1 where T - s >= T0; `excess` is T - T0 [K].
    """
    u = ((excess + half_range) / (2.0 * half_range)).clamp(0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def positive_degrees(excess: Tensor, half_range: Tensor) -> Tensor:
    """Return the mean over the day of max(T - T0, 0) [K], exactly 0 where T + s <= T0."""
    u = ((excess + half_range) / (2.0 * half_range)).clamp(0.0, 1.0)
    return half_range * u * u + (excess - half_range).clamp(min=0.0)


def season(day_of_year: Tensor) -> Tensor:
    """Return sin(2 pi (day - 81) / 365.25): 1 in June, -1 in December; Anderson (2006), SNOW-17, NOAA."""
    return torch.sin(2.0 * pi / _YEAR * (day_of_year - _SPRING))


def at_most(store: Tensor, wanted: Tensor) -> Tensor:
    """Return the smaller of a store and what is wanted of it; where both are zero, the slope of what is wanted."""
    return torch.where(store < wanted, store, wanted)
