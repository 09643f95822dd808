"""Variables of CAMELS-US: forcing, streamflow, and basin attributes with their units."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from crest_data.errors import DataError
from crest_data.variable import Variable

DAY = 86400.0  # s
LICENCE = "CC-BY-4.0 (CAMELS-US); streamflow: U.S. public domain (USGS)"
CITATION = (
    "Newman et al. (2015), doi:10.5194/hess-19-209-2015; Addor et al. (2017), doi:10.5194/hess-21-5293-2017; "
    "data doi:10.5065/D6MW2F4D"
)
TIME_ZONE = "local days of the forcing product and of the gauge; UTC offset not in the files"

_FLUX = "kg m-2 s-1"
# fmt: off
PRECIPITATION = Variable("precipitation_flux", "mm day-1", "precipitation_flux", _FLUX, bounds=(0.0, 1.0),
                         long_name="precipitation, mean over the basin", positive="down")
SHORTWAVE_DAYLIGHT = Variable("shortwave_down_daylight", "W m-2", bounds=(0.0, 1600.0),
                              long_name="downward solar radiation, mean over the hours of daylight only")
SHORTWAVE = Variable("shortwave_down", "W m-2", "surface_downwelling_shortwave_flux_in_air", bounds=(0.0, 1600.0),
                     long_name="downward solar radiation, mean over 24 h", positive="down")
TEMPERATURE_MAX = Variable("air_temperature_max", "degC", "air_temperature", "K", "time: maximum",
                           bounds=(150.0, 350.0), long_name="highest air temperature of the day")
TEMPERATURE_MIN = Variable("air_temperature_min", "degC", "air_temperature", "K", "time: minimum",
                           bounds=(150.0, 350.0), long_name="lowest air temperature of the day")
VAPOUR_PRESSURE = Variable("vapour_pressure", "Pa", "water_vapor_partial_pressure_in_air", bounds=(0.0, 15000.0),
                           long_name="vapour pressure")
DAY_LENGTH = Variable("day_length", "s", bounds=(0.0, 86400.5), long_name="time between sunrise and sunset")
SNOW = Variable("snow_water_equivalent", "mm", "surface_snow_amount", "kg m-2", bounds=(0.0, 100000.0),
                long_name="snow water equivalent, mean over the basin")
STREAMFLOW = Variable("streamflow", "mm day-1", "runoff_flux", _FLUX, bounds=(0.0, 1.0),
                      long_name="observed discharge at the gauge, divided by the area of the basin")
# By the names of the source.
FORCING: Mapping[str, Variable] = {"prcp": PRECIPITATION, "srad": SHORTWAVE_DAYLIGHT, "tmax": TEMPERATURE_MAX,
                                   "tmin": TEMPERATURE_MIN, "vp": VAPOUR_PRESSURE, "dayl": DAY_LENGTH, "swe": SNOW}
# fmt: on


def with_shortwave(
    raw: xr.Dataset, radiation: str, day_length: str, srad: str
) -> tuple[xr.Dataset, Variable, list[str]]:
    """Return raw data with the radiation asked for, its variable, and what changed; `srad` is "daylight" or "24h"."""
    if srad == "daylight":
        return raw, SHORTWAVE_DAYLIGHT, []
    if srad != "24h":
        raise DataError(f"srad {srad!r}: expected 'daylight' (the mean over daylight, as in the source) or '24h'")
    told = raw[radiation].attrs
    mean = (raw[radiation] * raw[day_length] / DAY).assign_attrs(told)
    return (
        raw.assign({radiation: mean}),
        SHORTWAVE,
        [f"{radiation}: mean over daylight x {day_length} / 86400 s -> mean over 24 h"],
    )


def _static(units: str, long_name: str, *names: str, to: str = "", standard: str = "") -> dict[str, Variable]:
    return {name: Variable(name, units, standard, to, long_name=long_name) for name in names}


# Addor et al. (2017), tables 1 to 6. Kept in the units of the source; the text columns become coordinates.
ATTRIBUTES: Mapping[str, Variable] = {
    **_static("mm day-1", "daily mean over 1989-10 to 2009-09", "p_mean", "pet_mean", "q_mean"),
    **_static("1", "seasonality and timing of precipitation", "p_seasonality"),
    **_static("1", "fraction of precipitation on days colder than 0 degC", "frac_snow"),
    **_static("1", "mean potential evaporation / mean precipitation", "aridity"),
    **_static("day year-1", "days of a year with precipitation >= 5 times the mean", "high_prec_freq"),
    **_static("day year-1", "days of a year with precipitation < 1 mm", "low_prec_freq"),
    **_static("day", "mean number of such days in a row", "high_prec_dur", "low_prec_dur", "high_q_dur", "low_q_dur"),
    **_static("1", "fraction of the area", "glim_1st_class_frac", "glim_2nd_class_frac", "carbonate_rocks_frac",
              "frac_forest", "dom_land_cover_frac"),
    **_static("1", "subsurface porosity (spelt so in the source)", "geol_porostiy"),
    **_static("1", "log10 of the subsurface permeability in m2", "geol_permeability"),
    **_static("1", "ratio of mean discharge to mean precipitation", "runoff_ratio"),
    **_static("1", "slope of the flow duration curve", "slope_fdc"),
    **_static("1", "ratio of baseflow to discharge", "baseflow_index"),
    **_static("1", "sensitivity of discharge to precipitation", "stream_elas"),
    **_static("mm day-1", "quantile of daily discharge", "q5", "q95"),
    **_static("day year-1", "days of a year with discharge > 9 times the median", "high_q_freq"),
    **_static("day year-1", "days of a year with discharge < 0.2 times the mean", "low_q_freq"),
    **_static("%", "days without discharge", "zero_q_freq"),
    **_static("day", "day of the water year on which half of the discharge has flowed", "hfd_mean"),
    **_static("m", "depth of soil", "soil_depth_pelletier", "soil_depth_statsgo"),
    **_static("1", "volumetric porosity", "soil_porosity", standard="soil_porosity"),
    **_static("cm h-1", "saturated hydraulic conductivity", "soil_conductivity"),
    **_static("m", "largest content of water in soil", "max_water_content"),
    **_static("%", "fraction of soil", "sand_frac", "silt_frac", "clay_frac", "water_frac", "organic_frac",
              "other_frac"),
    **_static("m", "mean altitude of the basin", "elev_mean", standard="surface_altitude"),
    **_static("m km-1", "mean slope of the basin", "slope_mean"),
    **_static("km2", "area of the basin", "area_gages2", "area_geospa_fabric"),
    **_static("1", "highest monthly leaf area index", "lai_max"),
    **_static("1", "highest less lowest monthly leaf area index", "lai_diff"),
    **_static("1", "highest monthly green vegetation fraction", "gvf_max"),
    **_static("1", "highest less lowest monthly green vegetation fraction", "gvf_diff"),
    **_static("m", "root depth", "root_depth_50", "root_depth_99"),
}  # fmt: skip
TEXT_ATTRIBUTES = ("huc_02", "gauge_name", "high_prec_timing", "low_prec_timing", "geol_1st_class", "geol_2nd_class",
                   "dom_land_cover")  # fmt: skip
