"""The fields that both snow models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from crest_core import ComponentError, FieldSpec, Tensors

FLUX = "kg m-2 day-1"
_TEMPERATURES = {
    "extremes": (
        FieldSpec(
            name="air_temperature_max", units="degC", standard_name="air_temperature", cell_methods="time: maximum"
        ),
        FieldSpec(
            name="air_temperature_min", units="degC", standard_name="air_temperature", cell_methods="time: minimum"
        ),
    ),
    "mean": (FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),),
}
_DRIVERS = {
    "shortwave_down": FieldSpec(
        name="shortwave_down",
        units="W m-2",
        standard_name="surface_downwelling_shortwave_flux_in_air",
        positive="down",
        doc="mean over the whole step, nights too",
    ),
    "day_of_year": FieldSpec(
        name="day_of_year", units="1", standard_name="day_of_year", cell_methods="time: point", doc="1 on 1 January"
    ),
}
OUTPUTS = (
    FieldSpec(
        name="surface_snow_amount",
        units="kg m-2",
        standard_name="surface_snow_amount",
        cell_methods="time: point",
        bounds=(0.0, inf),
        doc="snow water equivalent, ice and liquid, mean over the cell",
    ),
    FieldSpec(
        name="surface_snow_area_fraction",
        units="1",
        standard_name="surface_snow_area_fraction",
        cell_methods="time: point",
        bounds=(0.0, 1.0),
    ),
    FieldSpec(
        name="surface_snow_melt_flux",
        units=FLUX,
        standard_name="surface_snow_melt_flux",
        bounds=(0.0, inf),
        doc="ice that turns to water, before it refreezes",
    ),
    FieldSpec(name="rainfall_flux", units=FLUX, standard_name="rainfall_flux", bounds=(0.0, inf)),
    FieldSpec(
        name="liquid_water_flux",
        units=FLUX,
        bounds=(0.0, inf),
        doc="water that reaches the soil: rain and melt that the snow does not hold",
    ),
    FieldSpec(
        name="snowfall_correction",
        units=FLUX,
        doc="snow added to what was measured, for undercatch; negative for sublimation and wind",
    ),
    FieldSpec(
        name="band_snow_amount",
        units="kg m-2",
        dims=("elevation_band", "cell"),
        cell_methods="time: point",
        bounds=(0.0, inf),
        doc="on the ground of the band, lowest first",
    ),
    FieldSpec(
        name="band_snow_area_fraction",
        units="1",
        dims=("elevation_band", "cell"),
        cell_methods="time: point",
        bounds=(0.0, 1.0),
        doc="of the ground of the band",
    ),
)


def weather_ports(temperature: str, drivers: Sequence[str]) -> tuple[FieldSpec, ...]:
    """Return the inputs that move; drivers are those beyond precipitation and temperature."""
    unknown = [name for name in drivers if name not in _DRIVERS]
    if temperature not in _TEMPERATURES or unknown or len(set(drivers)) != len(drivers):
        raise ComponentError(
            f"snow: temperature {temperature!r} and drivers {list(drivers)}; expected one of {list(_TEMPERATURES)}, "
            f"and distinct names of {list(_DRIVERS)}"
        )
    rain = FieldSpec(name="precipitation_flux", units=FLUX, standard_name="precipitation_flux")
    return (rain, *_TEMPERATURES[temperature], *(_DRIVERS[name] for name in drivers))


def attribute_ports(attributes: Mapping[str, str]) -> tuple[FieldSpec, ...]:
    """Return static inputs from {name: units}."""
    return tuple(FieldSpec(name=name, units=units, static=True) for name, units in attributes.items())


def outputs_of(answer: Tensors) -> Tensors:
    """Return the declared outputs from what the bands (..., elevation_band, cell) hold and give."""
    mean = {name: value.mean(-2) for name, value in answer.items()}
    return {
        "surface_snow_amount": mean["amount"],
        "surface_snow_area_fraction": mean["covered"],
        "surface_snow_melt_flux": mean["melt"],
        "rainfall_flux": mean["rainfall"],
        "liquid_water_flux": mean["outflow"],
        "snowfall_correction": mean["correction"],
        "band_snow_amount": answer["amount"],
        "band_snow_area_fraction": answer["covered"],
    }
