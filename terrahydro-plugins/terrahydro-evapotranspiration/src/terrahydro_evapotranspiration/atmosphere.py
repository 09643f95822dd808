"""Properties of the air and the radiation balance, as in FAO-56, on tensors of any shape.

Allen, Pereira, Raes, Smith (1998), Crop evapotranspiration, FAO Irrigation and Drainage Paper 56;
"eq." below means their equations. Here in SI units: Pa, degC, W m-2.
"""

from __future__ import annotations

import torch
from torch import Tensor

SPECIFIC_HEAT = 1013.0  # J kg-1 K-1, moist air at constant pressure; eq. 8
MOLECULAR_RATIO = 0.622  # water vapour to dry air; eq. 8
STEFAN_BOLTZMANN = 5.670374e-8  # W m-2 K-4; CODATA 2018
DRY_AIR = 287.0  # J kg-1 K-1, specific gas constant; box 6
LEAST_VAPOUR = 0.01  # Pa, above 0, where the root has no gradient
ZERO_CELSIUS = 273.16  # K, as FAO-56 has it; eq. 39


def air_pressure(altitude: float) -> float:
    """Return the air pressure [Pa] at an altitude [m] in a standard atmosphere; eq. 7."""
    return 101300.0 * ((293.0 - 0.0065 * altitude) / 293.0) ** 5.26


def altitude(pressure: Tensor) -> Tensor:
    """Return the altitude [m] of an air pressure [Pa] in a standard atmosphere, the inverse of eq. 7."""
    return (293.0 - 293.0 * (pressure / 101300.0) ** (1.0 / 5.26)) / 0.0065


def latent_heat_of_vaporization(celsius: Tensor) -> Tensor:
    """Return lambda = 2.501e6 - 2361 T [J kg-1]; annex 3, eq. 3-1, after Harrison (1963)."""
    return 2.501e6 - 2361.0 * celsius


def saturation_slope(celsius: Tensor) -> Tensor:
    """Return the slope of the saturation vapour pressure curve [Pa K-1]; eq. 13."""
    above = celsius + 237.3
    return 4098.0 * 610.8 * torch.exp(17.27 * celsius / above) / above**2


def psychrometric_constant(pressure: float | Tensor, celsius: Tensor) -> Tensor:
    """Return gamma = c_p p / (0.622 lambda) [Pa K-1]; eq. 8."""
    return SPECIFIC_HEAT * pressure / (MOLECULAR_RATIO * latent_heat_of_vaporization(celsius))


def air_density(pressure: float | Tensor, celsius: Tensor) -> Tensor:
    """Return the density of moist air [kg m-3], virtual temperature 1.01 (T + 273); box 6."""
    return pressure / (1.01 * (celsius + 273.0) * DRY_AIR)


def net_longwave(
    celsius: Tensor, vapour_pressure: Tensor, shortwave: Tensor, toa: Tensor, altitude: float | Tensor
) -> Tensor:
    """Return the net upward longwave radiation [W m-2]; eq. 39 with the clear sky of eq. 37.

    sigma T^4 (0.34 - 0.14 sqrt(e [kPa])) (1.35 Rs / Rso - 0.35), Rso = (0.75 + 2e-5 z) Ra; T is the
    mean of the step, where FAO-56 takes the mean of the fourth powers of its extremes (0.2 W m-2 less
    for a range of 15 K). The ratio of measured to clear-sky radiation, a measure of cloud, is kept
    at 1 at most (FAO-56, p. 52) and 0.3 at least (ASCE-EWRI 2005, eq. 18).
    """
    clear = ((0.75 + 2e-5 * altitude) * toa).clamp(min=1.0)
    ratio = (shortwave / clear).clamp(0.3, 1.0)
    emissivity = 0.34 - 0.14 * torch.sqrt(vapour_pressure.clamp(min=LEAST_VAPOUR) / 1000.0)
    black_body = STEFAN_BOLTZMANN * (celsius + ZERO_CELSIUS) ** 4
    return black_body * emissivity * (1.35 * ratio - 0.35)
