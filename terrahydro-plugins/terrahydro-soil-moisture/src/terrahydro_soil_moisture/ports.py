"""The fields of the soil LSTM: weather by the names of crest-data, attributes of places, soil moisture by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crest_core import FieldError, FieldSpec
from terrahydro_soil_moisture.layers import ROOT_ZONE, Layers, root_zone_shares

RAIN = "precipitation_flux"
FLUX = "kg m-2 day-1"
SOIL_WATER = "volume_fraction_of_condensed_water_in_soil"

_AIR = "in_air"
_FORCING = (
    FieldSpec(name=RAIN, units=FLUX, standard_name="precipitation_flux"),
    FieldSpec(
        name="water_evapotranspiration_flux",
        units=FLUX,
        standard_name="water_evapotranspiration_flux",
        positive="up",
    ),
    FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
    FieldSpec(
        name="shortwave_down",
        units="W m-2",
        standard_name=f"surface_downwelling_shortwave_flux_{_AIR}",
        positive="down",
    ),
    FieldSpec(
        name="longwave_down",
        units="W m-2",
        standard_name=f"surface_downwelling_longwave_flux_{_AIR}",
        positive="down",
    ),
    FieldSpec(name="shortwave_toa", units="W m-2", standard_name="toa_incoming_shortwave_flux", positive="down"),
    FieldSpec(name="specific_humidity", units="1", standard_name="specific_humidity"),
    FieldSpec(name="vapour_pressure", units="Pa", standard_name=f"water_vapor_partial_pressure_{_AIR}"),
    FieldSpec(name="vapour_pressure_deficit", units="Pa", standard_name=f"water_vapor_saturation_deficit_{_AIR}"),
    FieldSpec(name="wind_speed", units="m s-1", standard_name="wind_speed"),
    FieldSpec(
        name="surface_snow_amount", units="kg m-2", standard_name="surface_snow_amount", cell_methods="time: point"
    ),
)
FORCING: Mapping[str, FieldSpec] = {spec.name: spec for spec in _FORCING}
PRESENT = (RAIN, "water_evapotranspiration_flux")
"""The inputs that the bucket has, too."""
USUAL: Mapping[str, tuple[float, float]] = {
    RAIN: (0.0, 5.0),
    "water_evapotranspiration_flux": (0.0, 2.0),
    "air_temperature": (10.0, 10.0),
    "shortwave_down": (150.0, 100.0),
    "longwave_down": (300.0, 60.0),
    "shortwave_toa": (280.0, 120.0),
    "specific_humidity": (0.007, 0.005),
    "vapour_pressure": (1000.0, 600.0),
    "vapour_pressure_deficit": (600.0, 500.0),
    "wind_speed": (3.0, 2.0),
    "surface_snow_amount": (0.0, 50.0),
}
"""(mean, std) that bring weather of the middle latitudes to order one, in the units of the fields."""


def forcing_ports(names: Sequence[str]) -> tuple[FieldSpec, ...]:
    """Return the inputs that move, by name."""
    unknown = [name for name in names if name not in FORCING]
    if unknown or not names or len(set(names)) != len(names):
        raise FieldError(f"soil-lstm: forcing {list(names)}; expected one or more distinct names of {list(FORCING)}")
    return tuple(FORCING[name] for name in names)


def attribute_ports(attributes: Mapping[str, str], forcing: Sequence[str]) -> tuple[FieldSpec, ...]:
    """Return static inputs from {name: units}; their names are none of the forcing."""
    if twice := sorted({*attributes} & {*forcing}):
        raise FieldError(f"soil-lstm: attributes {twice} have names of the forcing; expected others")
    return tuple(FieldSpec(name=name, units=units, static=True) for name, units in attributes.items())


def outputs_of(layers: Layers, bounds: tuple[float, float]) -> tuple[FieldSpec, ...]:
    """Return soil moisture of the layers, and of the root zone where the layers fill it."""
    depths = ", ".join(f"{top:g}-{bottom:g}" for top, bottom in layers)
    moisture = FieldSpec(
        name="soil_moisture",
        units="1",
        standard_name=SOIL_WATER,
        dims=("soil_layer", "cell"),
        cell_methods="time: point",
        bounds=bounds,
        doc=f"m3 m-3 in {depths} m",
    )
    if root_zone_shares(layers) is None:
        return (moisture,)
    root_zone = FieldSpec(
        name="root_zone_soil_moisture",
        units="1",
        standard_name=SOIL_WATER,
        cell_methods="time: point",
        vertical=ROOT_ZONE,
        bounds=bounds,
        doc="m3 m-3, mean over the layers, each by its part within",
    )
    return moisture, root_zone
