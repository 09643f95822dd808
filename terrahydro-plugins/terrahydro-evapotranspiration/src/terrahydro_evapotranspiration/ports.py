"""The fields that the evapotranspiration models share."""

from __future__ import annotations

from crest_core import FieldSpec

DRIVERS = (
    FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
    FieldSpec(name="vapour_pressure", units="Pa", standard_name="water_vapor_partial_pressure_in_air"),
    FieldSpec(
        name="vapour_pressure_deficit",
        units="Pa",
        standard_name="water_vapor_saturation_deficit_in_air",
        doc="mean over the step of e_s(T) - e, which is more than e_s of the mean T less e",
    ),
    FieldSpec(name="wind_speed", units="m s-1", standard_name="wind_speed", doc="at 2 m"),
    FieldSpec(
        name="shortwave_down",
        units="W m-2",
        standard_name="surface_downwelling_shortwave_flux_in_air",
        positive="down",
    ),
    FieldSpec(
        name="shortwave_toa",
        units="W m-2",
        standard_name="toa_incoming_shortwave_flux",
        positive="down",
        doc="tells cloud from night in the longwave balance",
    ),
    FieldSpec(
        name="root_zone_soil_moisture",
        units="1",
        standard_name="volume_fraction_of_condensed_water_in_soil",
        cell_methods="time: point",
        vertical=(0.0, 0.6),
        doc="m3 m-3; what closes the loop with a soil model",
    ),
)
WINDLESS = tuple(spec for spec in DRIVERS if spec.name != "wind_speed")
PRECIPITATION = FieldSpec(
    name="precipitation_flux", units="kg m-2 day-1", standard_name="precipitation_flux", doc="for the memory"
)
PRESSURE = FieldSpec(
    name="air_pressure", units="Pa", standard_name="surface_air_pressure", doc="in place of the altitude"
)
LEAVES = FieldSpec(name="leaf_area_index", units="1", standard_name="leaf_area_index")
OPTIONAL = (PRECIPITATION, PRESSURE, LEAVES)
FLUXES = (
    FieldSpec(
        name="evapotranspiration",
        units="kg m-2 s-1",
        standard_name="water_evapotranspiration_flux",
        positive="up",
    ),
    FieldSpec(
        name="latent_heat",
        units="W m-2",
        standard_name="surface_upward_latent_heat_flux",
        positive="up",
    ),
    FieldSpec(
        name="sensible_heat",
        units="W m-2",
        standard_name="surface_upward_sensible_heat_flux",
        positive="up",
    ),
    FieldSpec(
        name="net_radiation",
        units="W m-2",
        standard_name="surface_net_downward_radiative_flux",
        positive="down",
    ),
    FieldSpec(
        name="ground_heat",
        units="W m-2",
        standard_name="downward_heat_flux_at_ground_level_in_soil",
        positive="down",
    ),
)
RESIDUAL = FieldSpec(
    name="energy_residual",
    units="W m-2",
    doc="net radiation - ground heat - latent heat - sensible heat, which no physics closes here",
)
STATES = tuple(
    FieldSpec(name=name, units="1", dims=("evapotranspiration_unit", "cell"), cell_methods="time: point", doc=doc)
    for name, doc in (("hidden", "h, the output gate's answer"), ("memory", "c, the cell state"))
)


def parameter(name: str, units: str, bounds: tuple[float, float], doc: str, standard_name: str = "") -> FieldSpec:
    """Return the declaration of a physical parameter, one number within bounds."""
    return FieldSpec(
        name=name,
        units=units,
        standard_name=standard_name,
        dims=(),
        static=True,
        bounds=bounds,
        doc=doc,
    )


ALBEDO = parameter("albedo", "1", (0.05, 0.5), "0.23 is grass; FAO-56 eq. 38", "surface_albedo")
