"""Variables of FLUXNET2015 with their units, daily and half-hourly (Pastorello et al. 2020, supplementary table 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from crest_data.variable import Variable

LICENCE = "CC-BY-4.0 (FLUXNET2015, tier one); the sites ask to be cited"
CITATION = "Pastorello et al. (2020), doi:10.1038/s41597-020-0534-3"
TIME_ZONE = "local standard time of the site, no daylight saving; UTC offset not in the files"
MISSING = -9999.0
# A mole of carbon dioxide holds a mole of carbon.
CARBON = 12.011e-9  # kg umol-1, IUPAC standard atomic weight of carbon

_KELVIN = (150.0, 400.0)
_FRACTION = (0.0, 1.0)
_GPP = "gross_primary_productivity_of_biomass_expressed_as_carbon"
_CARBON_FLUX = "kg m-2 s-1"


def _of(name: str, units: str, standard: str = "", to: str = "", methods: str = "time: mean", *,
        bounds: tuple[float, float] | None = None, text: str = "", positive: str = "") -> Variable:  # fmt: skip
    return Variable(name, units, standard, to, methods, (MISSING,), bounds, text, positive=positive)


# fmt: off
_SERIES: Mapping[str, Variable] = {
    "TA_F": _of("air_temperature", "degC", "air_temperature", "K", bounds=(150.0, 350.0)),
    "SW_IN_F": _of("shortwave_down", "W m-2", "surface_downwelling_shortwave_flux_in_air", bounds=(-50.0, 1600.0),
                   positive="down"),
    "SW_IN_POT": _of("shortwave_toa", "W m-2", "toa_incoming_shortwave_flux", bounds=(0.0, 1500.0), positive="down",
                     text="solar radiation outside the atmosphere"),
    "SW_OUT": _of("shortwave_up", "W m-2", "surface_upwelling_shortwave_flux_in_air", positive="up"),
    "LW_IN_F": _of("longwave_down", "W m-2", "surface_downwelling_longwave_flux_in_air", bounds=(0.0, 800.0),
                   positive="down"),
    "LW_OUT": _of("longwave_up", "W m-2", "surface_upwelling_longwave_flux_in_air", positive="up"),
    "NETRAD": _of("net_radiation", "W m-2", "surface_net_downward_radiative_flux", positive="down"),
    "VPD_F": _of("vapour_pressure_deficit", "hPa", "water_vapor_saturation_deficit_in_air", "Pa",
                 bounds=(-1000.0, 20000.0)),
    "PA_F": _of("air_pressure", "kPa", "surface_air_pressure", "Pa", bounds=(25000.0, 115000.0)),
    "P_F": _of("precipitation_flux", "mm", "precipitation_flux", "kg m-2 s-1", "time: sum", bounds=_FRACTION,
               positive="down"),
    "WS_F": _of("wind_speed", "m s-1", "wind_speed", bounds=(0.0, 150.0)),
    "USTAR": _of("friction_velocity", "m s-1"),
    "CO2_F_MDS": _of("carbon_dioxide", "umol mol-1", "mole_fraction_of_carbon_dioxide_in_air", "1"),
    "LE_F_MDS": _of("latent_heat_flux", "W m-2", "surface_upward_latent_heat_flux", positive="up"),
    "LE_CORR": _of("latent_heat_flux_corrected", "W m-2", positive="up", text="closed by the energy balance"),
    "H_F_MDS": _of("sensible_heat_flux", "W m-2", "surface_upward_sensible_heat_flux", positive="up"),
    "H_CORR": _of("sensible_heat_flux_corrected", "W m-2", positive="up", text="closed by the energy balance"),
    "G_F_MDS": _of("ground_heat_flux", "W m-2", "downward_heat_flux_at_ground_level_in_soil", positive="down"),
}
# As in daily files; half-hourly ones hold umol m-2 s-1 of CO2, which the reader makes grams of carbon.
_CARBON: Mapping[str, Variable] = {
    "NEE_VUT_REF": _of("net_ecosystem_exchange", "g m-2 day-1", "net_ecosystem_exchange_of_carbon", _CARBON_FLUX,
                       positive="up", text="net ecosystem exchange of carbon, negative where the land takes it up"),
    "GPP_NT_VUT_REF": _of("gross_primary_productivity", "g m-2 day-1", _GPP, _CARBON_FLUX, positive="down",
                          text="gross primary productivity, night-time partitioning"),
    "GPP_DT_VUT_REF": _of("gross_primary_productivity_dt", "g m-2 day-1", "", _CARBON_FLUX, positive="down",
                          text="gross primary productivity, daytime partitioning"),
    "RECO_NT_VUT_REF": _of("ecosystem_respiration", "g m-2 day-1", "ecosystem_respiration_of_carbon", _CARBON_FLUX,
                           positive="up", text="ecosystem respiration, night-time partitioning"),
    "RECO_DT_VUT_REF": _of("ecosystem_respiration_dt", "g m-2 day-1", "", _CARBON_FLUX, positive="up",
                           text="ecosystem respiration, daytime partitioning"),
}
# Sensors are numbered from the shallowest, 1; their depths are not in the files.
_SOIL: Mapping[str, Variable] = {
    "SWC_F_MDS": _of("soil_moisture", "%", "volume_fraction_of_condensed_water_in_soil", "1", bounds=_FRACTION),
    "TS_F_MDS": _of("soil_temperature", "degC", "soil_temperature", "K", bounds=_KELVIN),
}
# fmt: on
_LAYER = re.compile(r"(SWC_F_MDS|TS_F_MDS)_(\d+)")


def variable(column: str) -> Variable | None:
    """Return what a column of a daily file is; None for those that are not read."""
    if match := _LAYER.fullmatch(column):
        of = _SOIL[match[1]]
        return replace(of, name=f"{of.name}_{match[2]}", long_name=f"at sensor {match[2]}, counted from the shallowest")
    return _SERIES.get(column) or _CARBON.get(column)


def is_carbon(column: str) -> bool:
    """Return whether a column is a flux of carbon."""
    return column in _CARBON


def quality_column(column: str) -> str:
    """Return the column that tells the quality of another; the partitioned fluxes share that of NEE."""
    return "NEE_VUT_REF_QC" if is_carbon(column) else f"{column}_QC"
