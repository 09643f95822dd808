"""The fields that the streamflow models share: names as the readers of crest-data hand them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from crest_core import FieldError, FieldSpec

FLUX = "kg m-2 day-1"
LAGGED = "runoff_flux_lagged"

RUNOFF = FieldSpec(name="runoff_flux", units=FLUX, standard_name="runoff_flux", doc="discharge / area of the basin")
_FORCING = {
    spec.name: spec
    for spec in (
        FieldSpec(name="precipitation_flux", units=FLUX, standard_name="precipitation_flux"),
        FieldSpec(
            name="shortwave_down",
            units="W m-2",
            standard_name="surface_downwelling_shortwave_flux_in_air",
            positive="down",
            doc="mean over 24 h",
        ),
        FieldSpec(
            name="air_temperature_max", units="degC", standard_name="air_temperature", cell_methods="time: maximum"
        ),
        FieldSpec(
            name="air_temperature_min", units="degC", standard_name="air_temperature", cell_methods="time: minimum"
        ),
        FieldSpec(name="vapour_pressure", units="Pa", standard_name="water_vapor_partial_pressure_in_air"),
        FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
        FieldSpec(
            name="surface_snow_amount",
            units="kg m-2",
            standard_name="surface_snow_amount",
            cell_methods="time: point",
            doc="of a snow component",
        ),
        FieldSpec(
            name="liquid_water_flux",
            units=FLUX,
            doc="rain and melt that reach the soil, of a snow component; joined by a Connection",
        ),
        FieldSpec(
            name="root_zone_soil_moisture",
            units="1",
            standard_name="volume_fraction_of_condensed_water_in_soil",
            cell_methods="time: point",
            vertical=(0.0, 0.6),
            doc="of a soil component",
        ),
        *(
            FieldSpec(
                name=f"{where}_runoff", units=FLUX, standard_name=f"{where}_runoff_flux", doc="of a soil component"
            )
            for where in ("surface", "subsurface")
        ),
    )
}
MAURER_FORCING = tuple(_FORCING)[:5]
"""The five of Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019."""
KRATZERT_ATTRIBUTES: Mapping[str, str] = {
    "p_mean": "mm day-1",
    "pet_mean": "mm day-1",
    "aridity": "1",
    "p_seasonality": "1",
    "frac_snow": "1",
    "high_prec_freq": "day year-1",
    "high_prec_dur": "day",
    "low_prec_freq": "day year-1",
    "low_prec_dur": "day",
    "elev_mean": "m",
    "slope_mean": "m km-1",
    "area_gages2": "km2",
    "frac_forest": "1",
    "lai_max": "1",
    "lai_diff": "1",
    "gvf_max": "1",
    "gvf_diff": "1",
    "soil_depth_pelletier": "m",
    "soil_depth_statsgo": "m",
    "soil_porosity": "1",
    "soil_conductivity": "cm h-1",
    "max_water_content": "m",
    "sand_frac": "%",
    "silt_frac": "%",
    "clay_frac": "%",
    "carbonate_rocks_frac": "1",
    "geol_permeability": "1",
}
"""The 27 attributes of Kratzert et al. (2019) with the units of Addor et al. (2017)."""


def forcing_ports(names: Sequence[str]) -> tuple[FieldSpec, ...]:
    """Return the inputs that move, by name."""
    unknown = [name for name in names if name not in _FORCING]
    if unknown or not names or len(set(names)) != len(names):
        raise FieldError(f"streamflow: forcing {list(names)}; expected one or more distinct names of {list(_FORCING)}")
    return tuple(_FORCING[name] for name in names)


def attribute_ports(attributes: Mapping[str, str]) -> tuple[FieldSpec, ...]:
    """Return static inputs from {name: units}."""
    return tuple(FieldSpec(name=name, units=units, static=True) for name, units in attributes.items())


def lagged_port() -> FieldSpec:
    """Return the input for discharge that was observed before the step."""
    return FieldSpec(name=LAGGED, units=FLUX, bounds=(0.0, inf), gaps=True, doc="observed some days before")


def runoff_port() -> FieldSpec:
    """Return the point output."""
    return FieldSpec(
        name=RUNOFF.name, units=FLUX, standard_name=RUNOFF.standard_name, bounds=(0.0, inf), doc=RUNOFF.doc
    )
