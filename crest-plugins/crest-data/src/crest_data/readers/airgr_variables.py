"""Variables of the tables that the R packages airGR and airGRdatasets share: P, T, E and Q of a catchment."""

from __future__ import annotations

from collections.abc import Mapping

from crest_data.variable import Variable

LICENCE = "CC-BY-4.0 (airGRdatasets); GPL-2 (data of airGR)"
CITATION = "airGRdatasets (R package); Coron et al. (2017), airGR, doi:10.1016/j.envsoft.2017.05.002"
TIME_ZONE = "days of the source; hour of their start and UTC offset not in the files"

_PRECIPITATION = Variable("precipitation_flux", "mm day-1", "precipitation_flux", "kg m-2 s-1", bounds=(0.0, 1.0),
                          long_name="precipitation, mean over the catchment", positive="down")  # fmt: skip
_TEMPERATURE = Variable("air_temperature", "degC", "air_temperature", "K", bounds=(150.0, 350.0),
                        long_name="air temperature, mean over the catchment")  # fmt: skip
_EVAPORATION = Variable("potential_evaporation", "mm day-1", "water_potential_evaporation_flux", "kg m-2 s-1",
                        bounds=(-0.001, 0.002), long_name="potential evapotranspiration", positive="up")  # fmt: skip
_STREAMFLOW = Variable("streamflow", "mm day-1", "runoff_flux", "kg m-2 s-1", bounds=(0.0, 1.0),
                       long_name="observed discharge at the gauge, divided by the area of the catchment")  # fmt: skip
_DISCHARGE = Variable("discharge", "L s-1", "water_volume_transport_in_river_channel", "m3 s-1", bounds=(0.0, 500000.0),
                      long_name="observed discharge at the gauge")  # fmt: skip

# Names of airGR (BasinObs) and of airGRdatasets.
SERIES: Mapping[str, Variable] = {
    "P": _PRECIPITATION, "Ptot": _PRECIPITATION,
    "T": _TEMPERATURE, "Temp": _TEMPERATURE,
    "E": _EVAPORATION, "Evap": _EVAPORATION,
    "Qls": _DISCHARGE,
    "Qmm": _STREAMFLOW, "Qmmd": _STREAMFLOW,
}  # fmt: skip
DATES = ("date", "Date", "DatesR")
HYPSOMETRY = Variable("hypsometry", "m", "surface_altitude",
                      long_name="altitude below which the given percentage of the catchment lies")  # fmt: skip
BASINS: Mapping[str, Variable] = {
    "area_km2": Variable("catchment_area", "km2", long_name="area of the catchment"),
    "elev_median": Variable("elevation_median", "m", long_name="median altitude of the catchment"),
}
