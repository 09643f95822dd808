"""One day of HBV: snow, soil and two boxes; every kg that comes in stays or leaves.

After Bergstroem (1976), in the notation of Seibert and Vis (2012), doi:10.5194/hess-16-3315-2012.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MIXED = 0.5  # K, width of the change from snow to rain
_PSYCHROMETRIC = 0.066  # kPa K-1, at 100 kPa
_LATENT_HEAT = 2.45  # MJ kg-1
_MEGAJOULES = 0.0864  # MJ m-2 day-1 in 1 W m-2


class Snow(NamedTuple):
    """Ice and liquid water of the snow [kg m-2]."""

    ice: Tensor
    liquid: Tensor


class Ground(NamedTuple):
    """Water of the soil, the upper and the lower box [kg m-2]."""

    soil: Tensor
    upper: Tensor
    lower: Tensor


def potential_evaporation(celsius: Tensor, shortwave: Tensor) -> Tensor:
    """Return Delta / (Delta + gamma) R / L [kg m-2 day-1]; Makkink (1957) has a factor of 0.61 before it.

    R shortwave radiation as a mean over 24 h, Delta slope of the saturation vapour pressure: Allen et al. (1998), eq.
    13.
    """
    saturated = 0.6108 * torch.exp(17.27 * celsius / (celsius + 237.3))  # kPa
    slope = 4098.0 * saturated / (celsius + 237.3).square()
    return slope / (slope + _PSYCHROMETRIC) * shortwave.clamp(min=0.0) * (_MEGAJOULES / _LATENT_HEAT)


def snow_weather(precipitation: Tensor, celsius: Tensor, theta: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Return (rain, snowfall, possible melt, possible refreezing) [kg m-2 day-1] of all days at once.

    rain = P sigmoid((T - TT) / 0.5 K), melt = CFMAX (T - TT)+, refreezing = CFR CFMAX (TT - T)+.
    """
    above = celsius - theta["snow_threshold"]
    snowfall = precipitation * torch.sigmoid(-above / MIXED)
    melt = theta["degree_day_factor"] * above.clamp(min=0.0)
    refreeze = theta["refreezing"] * theta["degree_day_factor"] * (-above).clamp(min=0.0)
    return precipitation - snowfall, snowfall, melt, refreeze


def snow_day(snow: Snow, weather: tuple[Tensor, ...], capacity: Tensor) -> tuple[Snow, Tensor]:
    """Return (snow, water that it lets go): it holds liquid water up to CWH of its ice."""
    rain, snowfall, melt, refreeze = weather
    ice = snow.ice + snowfall
    melted = _at_most(ice, melt)
    ice, liquid = ice - melted, snow.liquid + rain + melted
    frozen = _at_most(liquid, refreeze)
    ice, liquid = ice + frozen, liquid - frozen
    let_go = _above(liquid, capacity * ice)
    return Snow(ice, liquid - let_go), let_go


def ground_day(
    ground: Ground, water: Tensor, potential: Tensor, theta: dict[str, Tensor]
) -> tuple[Ground, Tensor, Tensor]:
    """Return (stores, runoff, evapotranspiration) of a day.

    recharge = water (S / FC)^BETA and what is above FC; E = PET min(1, S / (LP FC)); percolation = min(U, PERC);
    runoff = K0 (U - UZL)+ + K1 U + K2 L, one after the other.
    """
    capacity = theta["field_capacity"]
    recharge = water * (ground.soil / capacity).clamp(max=1.0).pow(theta["recharge_shape"])
    soil = ground.soil + (water - recharge)
    spilled = _above(soil, capacity)
    soil = soil - spilled
    wet = (soil / theta["limit_of_evaporation"]).clamp(max=1.0)
    evaporated = _at_most(soil, potential * wet)
    upper = ground.upper + recharge + spilled
    down = _at_most(upper, theta["percolation"])
    upper, lower = upper - down, ground.lower + down
    quick = theta["quick_rate"] * _above(upper, theta["quick_threshold"])
    upper = upper - quick
    middle, slow = theta["middle_rate"] * upper, theta["slow_rate"] * lower
    return Ground(soil - evaporated, upper - middle, lower - slow), quick + middle + slow, evaporated


def _at_most(store: Tensor, demand: Tensor) -> Tensor:
    """Return the smaller; its slope at equality is that of the demand, and nan in the demand is kept."""
    return torch.where(demand > store, store, demand)


def _above(store: Tensor, limit: Tensor) -> Tensor:
    """Return (store - limit)+; its slope at equality is that of more water, as clamp has it."""
    return (store - limit).clamp(min=0.0)
