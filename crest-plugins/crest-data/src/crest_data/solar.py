"""Solar radiation outside the atmosphere from time and place."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SOLAR_CONSTANT = 1366.7  # W m-2, 0.0820 MJ m-2 min-1; FAO-56 eq. 21


def toa_radiation(
    hours: pd.DatetimeIndex, latitude: float, longitude: float, *, utc_offset: float
) -> NDArray[np.float64]:
    """Return the mean radiation [W m-2] on a horizontal plane outside the atmosphere, hour by hour.

    `hours` are starts of hours in a zone `utc_offset` hours ahead of UTC; latitude and longitude in
    degrees north and east. Ra = S d max(0, sin a), a the height of the sun, as a mean over four
    times of the hour. Allen et al. (1998), FAO-56, eq. 21-24 and 31-33.

    >>> noon = pd.DatetimeIndex(["2015-06-21 12:00"])
    >>> round(float(toa_radiation(noon, 50.5, 8.55, utc_offset=1.0)[0]))
    1175
    """
    day = hours.day_of_year.to_numpy(dtype=np.float64)
    year_angle = 2.0 * np.pi * day / 365.0
    distance = 1.0 + 0.033 * np.cos(year_angle)  # eq. 23, inverse relative, Earth to Sun
    declination = 0.409 * np.sin(year_angle - 1.39)  # eq. 24, rad
    b = 2.0 * np.pi * (day - 81.0) / 364.0  # eq. 33
    equation = 0.1645 * np.sin(2 * b) - 0.1255 * np.cos(b) - 0.025 * np.sin(b)  # eq. 32, h
    phi = np.radians(latitude)
    level, swing = np.sin(phi) * np.sin(declination), np.cos(phi) * np.cos(declination)
    total = np.zeros(len(hours))
    for part in (0.125, 0.375, 0.625, 0.875):
        clock = hours.hour.to_numpy(dtype=np.float64) + part - utc_offset
        angle = np.pi / 12.0 * (clock + longitude / 15.0 + equation - 12.0)  # eq. 31
        total += np.maximum(level + swing * np.cos(angle), 0.0)
    return SOLAR_CONSTANT * distance * total / 4.0
