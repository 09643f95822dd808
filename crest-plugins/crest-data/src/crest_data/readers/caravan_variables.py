"""Variables of Caravan: ERA5-Land over catchments, streamflow, attributes, with the units that it documents."""

from __future__ import annotations

from collections.abc import Mapping

from crest_data.variable import Variable

LICENCE = "CC-BY-4.0 (Caravan); forcing contains modified Copernicus Climate Change Service information"
CITATION = "Kratzert et al. (2023), doi:10.1038/s41597-023-01975-w; data doi:10.5281/zenodo.6522634"
TIME_ZONE = "local standard time of the catchment, no daylight saving; UTC offset not in the files"
SOIL_LAYERS = ((0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89))  # m, ERA5-Land
SOIL = "volumetric_soil_water_layer"
# The ending of a column, that of our name, and the statistic.
STATISTICS = {"mean": ("", "time: mean"), "min": ("_min", "time: minimum"), "max": ("_max", "time: maximum")}

_NET = "surface_net_downward"
# What a column is before its statistic: our name, units, standard name, units handed out, bounds.
_DAILY = {
    "snow_depth_water_equivalent": ("snow_water_equivalent", "mm", "surface_snow_amount", "kg m-2", (-1.0, 1e5)),
    "surface_net_solar_radiation": ("net_shortwave", "W m-2", f"{_NET}_shortwave_flux", "", (-50.0, 1600.0)),
    "surface_net_thermal_radiation": ("net_longwave", "W m-2", f"{_NET}_longwave_flux", "", (-600.0, 300.0)),
    "surface_pressure": ("air_pressure", "kPa", "surface_air_pressure", "Pa", (25000.0, 115000.0)),
    "temperature_2m": ("air_temperature", "degC", "air_temperature", "K", (150.0, 350.0)),
    "dewpoint_temperature_2m": ("dew_point_temperature", "degC", "dew_point_temperature", "K", (150.0, 350.0)),
    "u_component_of_wind_10m": ("eastward_wind", "m s-1", "eastward_wind", "", (-150.0, 150.0)),
    "v_component_of_wind_10m": ("northward_wind", "m s-1", "northward_wind", "", (-150.0, 150.0)),
}
_HEIGHTS = {"temperature_2m": 2.0, "dewpoint_temperature_2m": 2.0, "u_component_of_wind_10m": 10.0,
            "v_component_of_wind_10m": 10.0}  # m  # fmt: skip


def _daily() -> dict[str, Variable]:
    found = {}
    for column, (name, units, standard, to, bounds) in _DAILY.items():
        vertical = (_HEIGHTS[column], _HEIGHTS[column]) if column in _HEIGHTS else None
        positive = "down" if standard.startswith(_NET) else ""
        for ending, (suffix, methods) in STATISTICS.items():
            found[f"{column}_{ending}"] = Variable(
                f"{name}{suffix}", units, standard, to, methods, bounds=bounds, vertical=vertical, positive=positive
            )
    return found


def _evaporation(column: str, name: str) -> dict[str, Variable]:
    """Return a potential evaporation, daily sums handed out as a flux."""
    standard = "water_potential_evaporation_flux"
    return {column: Variable(name, "mm", standard, "kg m-2 s-1", "time: sum", bounds=(-0.001, 0.002), positive="up")}


DAILY: Mapping[str, Variable] = {
    **_daily(),
    "total_precipitation_sum": Variable("precipitation_flux", "mm", "precipitation_flux", "kg m-2 s-1", "time: sum",
                                        bounds=(0.0, 1.0), positive="down"),
    **_evaporation("potential_evaporation_sum", "potential_evaporation"),
    **_evaporation("potential_evaporation_sum_ERA5_LAND", "potential_evaporation_era5_land"),
    **_evaporation("potential_evaporation_sum_FAO_PENMAN_MONTEITH", "potential_evaporation_penman_monteith"),
    "streamflow": Variable("streamflow", "mm day-1", "runoff_flux", "kg m-2 s-1", bounds=(0.0, 1.0),
                           long_name="observed discharge at the gauge, divided by the area of the catchment"),
}  # fmt: skip
# The soil layers, packed into the dim soil_layer.
SOIL_MOISTURE: Mapping[str, Variable] = {
    ending: Variable(f"soil_moisture{suffix}", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", "1", methods,
                     bounds=(0.0, 1.0), long_name="volumetric soil water of ERA5-Land")
    for ending, (suffix, methods) in STATISTICS.items()
}  # fmt: skip
SOIL_COLUMNS = {f"{SOIL}_{layer}_{ending}": of for layer in range(1, 5) for ending, of in SOIL_MOISTURE.items()}


def _static(units: str, long_name: str, *names: str, ours: str = "") -> dict[str, Variable]:
    return {name: Variable(ours or name.lower(), units, long_name=long_name) for name in names}


_KINDS = ("", "_ERA5_LAND", "_FAO_PM")  # of potential evaporation
# Kratzert et al. (2023), tables 4 and 5.
ATTRIBUTES: Mapping[str, Variable] = {
    **_static("mm day-1", "mean daily precipitation", "p_mean"),
    **_static("mm day-1", "mean daily potential evaporation", *(f"pet_mean{kind}" for kind in _KINDS)),
    **_static("1", "mean potential evaporation / mean precipitation", *(f"aridity{kind}" for kind in _KINDS)),
    **_static("1", "fraction of precipitation that falls as snow", "frac_snow"),
    **_static("1", "mean annual moisture index, -1 to 1", *(f"moisture_index{kind}" for kind in _KINDS)),
    **_static("1", "seasonality of the moisture index, 0 to 2", *(f"seasonality{kind}" for kind in _KINDS)),
    **_static("1", "fraction of days with precipitation >= 5 times the mean", "high_prec_freq"),
    **_static("1", "fraction of days with precipitation < 1 mm", "low_prec_freq"),
    **_static("day", "mean number of such days in a row", "high_prec_dur", "low_prec_dur"),
    **_static("km2", "area of the catchment", "area", ours="catchment_area"),
}
TEXT_ATTRIBUTES = ("gauge_name", "country")
