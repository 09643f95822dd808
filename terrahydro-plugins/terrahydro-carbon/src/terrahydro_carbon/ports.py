"""The fields that the carbon models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from crest_core import FieldError, FieldSpec

FLUX = "g m-2 day-1"  # of carbon
ROOT_ZONE = "root_zone_soil_moisture"
NEE, GPP, RECO = "net_ecosystem_exchange", "gross_primary_productivity", "ecosystem_respiration"
_DRIVERS = {
    spec.name: spec
    for spec in (
        FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
        FieldSpec(
            name="shortwave_down",
            units="W m-2",
            standard_name="surface_downwelling_shortwave_flux_in_air",
            positive="down",
        ),
        FieldSpec(name="vapour_pressure_deficit", units="Pa", standard_name="water_vapor_saturation_deficit_in_air"),
        FieldSpec(
            name="shortwave_toa",
            units="W m-2",
            standard_name="toa_incoming_shortwave_flux",
            positive="down",
            doc="season and latitude in one",
        ),
        FieldSpec(
            name="air_temperature_min", units="degC", standard_name="air_temperature", cell_methods="time: minimum"
        ),
        FieldSpec(
            name="air_temperature_max", units="degC", standard_name="air_temperature", cell_methods="time: maximum"
        ),
        FieldSpec(
            name=ROOT_ZONE,
            units="1",
            standard_name="volume_fraction_of_condensed_water_in_soil",
            cell_methods="time: point",
            vertical=(0.0, 0.6),
            gaps=True,
            doc="m3 m-3; nan where it is not known",
        ),
    )
}
DRIVERS = tuple(_DRIVERS)[:4]
"""What both models need: the light response, the temperature response, dryness, and the season."""
CLIMATE: Mapping[str, str] = {
    "temperature_mean": "degC",
    "temperature_spread": "degC",
    "shortwave_mean": "W m-2",
    "deficit_mean": "Pa",
    "latitude": "degree_north",
}
"""Attributes of a site that its weather tells, and its latitude."""
COVER: Mapping[str, str] = {
    f"cover_{name}": "1" for name in ("enf", "dbf", "ebf", "mf", "gra", "cro", "wet", "shr", "sav")
}
"""Shares of land cover in IGBP's classes; shr are open and closed shrublands, sav savannas and woody savannas."""
OUTPUTS = (
    FieldSpec(
        name=NEE,
        units=FLUX,
        standard_name="net_ecosystem_exchange_of_carbon",
        positive="up",
        doc="carbon that the land gives to the air; negative where it takes it up",
    ),
    FieldSpec(
        name=GPP,
        units=FLUX,
        standard_name="gross_primary_productivity_of_biomass_expressed_as_carbon",
        positive="down",
        bounds=(0.0, inf),
        doc="photosynthesis",
    ),
    FieldSpec(
        name=RECO,
        units=FLUX,
        standard_name="ecosystem_respiration_of_carbon",
        positive="up",
        bounds=(0.0, inf),
        doc="respiration of plants and soil",
    ),
)


def driver_ports(names: Sequence[str]) -> tuple[FieldSpec, ...]:
    """Return the inputs that move, by name; those that both models need have to be among them."""
    lacking = [name for name in DRIVERS if name not in names]
    unknown = [name for name in names if name not in _DRIVERS]
    if lacking or unknown or len(set(names)) != len(names):
        raise FieldError(
            f"carbon: drivers {list(names)}; expected {list(DRIVERS)} and, where wanted, some of "
            f"{[name for name in _DRIVERS if name not in DRIVERS]}"
        )
    return tuple(_DRIVERS[name] for name in names)


def attribute_ports(attributes: Mapping[str, str]) -> tuple[FieldSpec, ...]:
    """Return static inputs from {name: units}; their names are none of the drivers."""
    if twice := sorted({*attributes} & {*_DRIVERS}):
        raise FieldError(f"carbon: attributes {twice} have names of drivers; expected others")
    return tuple(FieldSpec(name=name, units=units, static=True) for name, units in attributes.items())
