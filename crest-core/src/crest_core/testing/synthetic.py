"""Plausible inputs: values of a field within its bounds, by standard name and units; they describe no real place."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor

from crest_fields.dictionary import Dictionary, Entry
from crest_fields.errors import UnitError
from crest_fields.fields import FieldSpec
from crest_fields.units import conversion, is_rate_pair, is_water_pair, rate_conversion, water_conversion

# Ranges of temperate land in the canonical units of the dictionary; round numbers.
TYPICAL: dict[str, tuple[float, float]] = {
    "air_temperature": (258.0, 300.0),
    "dew_point_temperature": (262.0, 288.0),
    "surface_temperature": (268.0, 305.0),
    "soil_temperature": (270.0, 298.0),
    "specific_humidity": (0.002, 0.014),
    "relative_humidity": (0.3, 0.98),
    "water_vapor_partial_pressure_in_air": (300.0, 1800.0),
    "water_vapor_saturation_deficit_in_air": (50.0, 1500.0),
    "air_pressure": (9.6e4, 1.02e5),
    "surface_air_pressure": (9.6e4, 1.02e5),
    "wind_speed": (0.6, 8.0),
    "eastward_wind": (-6.0, 8.0),
    "northward_wind": (-6.0, 6.0),
    "precipitation_flux": (0.0, 4e-4),  # up to 35 mm day-1
    "rainfall_flux": (0.0, 4e-4),
    "snowfall_flux": (0.0, 1e-4),
    "precipitation_amount": (0.0, 35.0),
    "surface_downwelling_shortwave_flux_in_air": (20.0, 300.0),
    "toa_incoming_shortwave_flux": (310.0, 480.0),
    "surface_downwelling_longwave_flux_in_air": (240.0, 400.0),
    "surface_net_downward_radiative_flux": (5.0, 200.0),
    "water_evapotranspiration_flux": (1e-6, 5e-5),  # up to 4.3 mm day-1
    "water_potential_evaporation_flux": (1e-6, 6e-5),
    "transpiration_flux": (1e-6, 4e-5),
    "water_evaporation_flux_from_soil": (1e-6, 3e-5),
    "volume_fraction_of_condensed_water_in_soil": (0.15, 0.4),
    "mass_content_of_water_in_soil": (20.0, 200.0),
    "runoff_flux": (1e-6, 1e-4),
    "surface_runoff_flux": (1e-6, 1e-4),
    "subsurface_runoff_flux": (1e-6, 1e-4),
    "surface_altitude": (50.0, 900.0),
    "surface_snow_melt_flux": (1e-6, 2e-4),
    "day_of_year": (1.0, 366.0),
}
INTERMITTENT = ("precipitation_flux", "rainfall_flux", "snowfall_flux", "precipitation_amount")
"""Fields that are zero on many days."""
_DAY = 86400.0  # s


def plausible_range(spec: FieldSpec, dictionary: Dictionary) -> tuple[float, float]:
    """Return the (low, high) in the units of the field from which its values are drawn."""
    low, high = _expected(spec, dictionary)
    if spec.bounds is None:
        return low, high
    floor, ceiling = spec.bounds
    if not isfinite(floor) or not isfinite(ceiling):
        low, high = max(low, floor), min(high, ceiling)
        if low < high:
            return low, high
        start = floor if isfinite(floor) else ceiling - 1.0
        return start, start + 1.0
    inner = max(low, floor), min(high, ceiling)
    if inner[0] < inner[1]:
        return inner
    width = ceiling - floor
    return floor + 0.2 * width, floor + 0.6 * width


def plausible_values(
    spec: FieldSpec, shape: tuple[int, ...], dictionary: Dictionary, generator: torch.Generator, *, smooth: bool
) -> Tensor:
    """Return float64 values; `smooth` keeps them off zeros and the ends of the range, where slopes may jump."""
    low, high = plausible_range(spec, dictionary)
    share = torch.rand(shape, generator=generator, dtype=torch.float64)
    if smooth:
        return low + (high - low) * (0.15 + 0.7 * share)
    values = low + (high - low) * share
    if dictionary.resolve(spec.standard_name)[0] in INTERMITTENT:
        dry = torch.rand(shape, generator=generator, dtype=torch.float64) < 0.5
        values = torch.where(dry, torch.full_like(values, max(low, min(0.0, high))), values)
    return values


def to_units(entry: Entry, units: str, value: float) -> float:
    """Return a value in the entry's canonical units in `units`; a water depth is its mass, an amount that of a day."""
    source = entry.canonical_units
    if is_rate_pair(source, units):
        return float(rate_conversion(source, units, _DAY, density=1000.0)(value))
    if is_water_pair(source, units):
        return float(water_conversion(source, units)(value))
    return float(conversion(source, units)(value))


def _expected(spec: FieldSpec, dictionary: Dictionary) -> tuple[float, float]:
    """Return what the names tell of the range, else (0.1, 1)."""
    name, sign = dictionary.resolve(spec.standard_name, spec.positive)
    entry = dictionary.get(name)
    if entry is None:
        return spec.bounds if spec.bounds is not None and all(map(isfinite, spec.bounds)) else (0.1, 1.0)
    ends = TYPICAL.get(name)
    if ends is None and entry.bounds is not None:
        width = entry.bounds[1] - entry.bounds[0]
        ends = entry.bounds[0] + 0.1 * width, entry.bounds[0] + 0.4 * width
    if ends is None:
        return 0.1, 1.0
    try:
        low, high = sorted(sign * to_units(entry, spec.units, end) for end in ends)
    except UnitError:  # ports.units-fit tells of it
        return 0.1, 1.0
    return low, high
