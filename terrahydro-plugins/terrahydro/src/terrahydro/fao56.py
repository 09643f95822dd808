"""Weather that was not measured, estimated from temperature by FAO-56.

Allen, Pereira, Raes, Smith (1998), Crop evapotranspiration, FAO Irrigation and Drainage Paper 56; "eq." means theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SOLAR_CONSTANT = 1366.7  # W m-2, 0.0820 MJ m-2 min-1; eq. 21
INTERIOR = 0.16  # degC^-0.5, adjustment of radiation from temperature away from coasts; eq. 50
WIND = 2.0  # m s-1 at 2 m, where nothing is known; p. 63
LATENT_HEAT = 2.45e6  # J kg-1; p. 4

Numbers = NDArray[np.float64]


def saturation(celsius: Numbers) -> Numbers:
    """Return the saturation vapour pressure [Pa]; eq. 11."""
    return 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))


def toa_of_day(day_of_year: Numbers, latitude: float) -> Numbers:
    """Return the mean radiation [W m-2] outside the atmosphere over a day; eq. 21-25.

    >>> round(float(toa_of_day(np.array([246.0]), -20.0)[0]) * 0.0864, 1)  # example 8: 32.2 MJ m-2 day-1
    32.2
    """
    angle = 2.0 * np.pi * day_of_year / 365.0
    distance, declination = 1.0 + 0.033 * np.cos(angle), 0.409 * np.sin(angle - 1.39)
    phi = np.radians(latitude)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return SOLAR_CONSTANT / np.pi * distance * height


def shortwave(lowest: Numbers, highest: Numbers, toa: Numbers, altitude: float) -> Numbers:
    """Return the radiation at the ground [W m-2] from the range of temperature [K or degC]; eq. 50, at most eq. 37."""
    estimate = INTERIOR * np.sqrt(np.maximum(highest - lowest, 0.0)) * toa
    return np.minimum(estimate, (0.75 + 2e-5 * altitude) * toa)


def humidity(lowest: Numbers, highest: Numbers) -> tuple[Numbers, Numbers]:
    """Return vapour pressure and its deficit [Pa] from the extremes [degC], dew point at the lowest; eq. 48 and 12."""
    vapour = saturation(lowest)
    return vapour, 0.5 * (saturation(highest) + saturation(lowest)) - vapour


def reference(mean: Numbers, lowest: Numbers, highest: Numbers, toa: Numbers) -> Numbers:
    """Return reference evapotranspiration [kg m-2 day-1] from temperature [degC] alone; Hargreaves, eq. 52."""
    range_ = np.sqrt(np.maximum(highest - lowest, 0.0))
    return np.maximum(0.0023 * (mean + 17.8) * range_ * toa * 86400.0 / LATENT_HEAT, 0.0)
