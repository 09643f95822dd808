"""The Schwingbach record as a CF dataset: weather and soil moisture, Hesse, Germany, 2014-2016."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_core import ForcingError, parse_timestep
from crest_data.schwingbach_files import (
    GROUNDWATER,
    SOIL_COLUMNS,
    read_soil,
    read_weather,
    schwingbach_folder,
)
from crest_data.solar import toa_radiation

LATITUDE, LONGITUDE = 50.5, 8.55  # degrees; approximate, the files name villages only
ALTITUDE = 238.628  # m, ground surface at site 24; spotpy/examples/spot_setup_cmf1d.py
DEPTHS = (0.10, 0.25, 0.40)  # m
ZERO_CELSIUS = 273.15  # K


@dataclass(frozen=True)
class _Variable:
    """How one hourly series becomes one variable."""

    name: str
    standard_name: str
    units: str
    long_name: str
    cell_methods: str = "time: mean"


_EXTREMES = (
    _Variable(
        "air_temperature_min", "air_temperature", "K", "lowest hourly air temperature of the interval", "time: minimum"
    ),
    _Variable(
        "air_temperature_max", "air_temperature", "K", "highest hourly air temperature of the interval", "time: maximum"
    ),
)
_WEATHER = (
    _Variable("precipitation_flux", "precipitation_flux", "kg m-2 s-1", "precipitation"),
    _Variable("air_temperature", "air_temperature", "K", "air temperature"),
    _Variable("relative_humidity", "relative_humidity", "1", "relative humidity"),
    _Variable(
        "vapour_pressure",
        "water_vapor_partial_pressure_in_air",
        "Pa",
        "vapour pressure, mean of the hourly values",
    ),
    _Variable(
        "vapour_pressure_deficit",
        "water_vapor_saturation_deficit_in_air",
        "Pa",
        "vapour pressure deficit, mean of the hourly values",
    ),
    _Variable("wind_speed", "wind_speed", "m s-1", "wind speed"),
    _Variable(
        "shortwave_down",
        "surface_downwelling_shortwave_flux_in_air",
        "W m-2",
        "downward solar radiation",
    ),
    _Variable(
        "shortwave_toa",
        "toa_incoming_shortwave_flux",
        "W m-2",
        "solar radiation outside the atmosphere, computed from the time and place",
    ),
    _Variable(
        "air_pressure",
        "air_pressure_at_mean_sea_level",
        "Pa",
        "air pressure, reduced to sea level as its mean of 1012 hPa tells",
    ),
    _Variable("groundwater_head", "", "m", "altitude of the groundwater table; nan: not measured"),
)


def read_schwingbach(
    frequency: str = "1D", *, min_valid_fraction: float = 1.0, folder: Path | None = None
) -> xr.Dataset:
    """Return weather (time, cell) and soil moisture (time, soil_layer, cell) as a CF dataset.

    `time` is the start of each interval, in Central European Time (assumed). Fluxes and weather are means over the
    interval; soil moisture is its value at the end of the interval (`time: point`, the last hourly reading), as the
    states of a model are. A value is nan unless `min_valid_fraction` of its hours were measured. Nothing is filled:
    the weather has no gap. `repairs` and `remarks` say what was changed and what looks odd. `frequency` is a number
    of hours that divides a day.

    Data: Chair of Landscape, Water and Biogeochemical Cycles, Justus Liebig University Giessen, shipped with spotpy
    (Houska et al. 2015, doi:10.1371/journal.pone.0145180), free for any purpose with reference.

    >>> read_schwingbach("1D").sizes["time"]
    1096
    """
    hours = _hours(frequency)
    if not 0.0 < min_valid_fraction <= 1.0:
        raise ForcingError(f"min_valid_fraction {min_valid_fraction} is not within (0, 1]")
    folder = schwingbach_folder() if folder is None else folder
    weather, repair = read_weather(folder)
    soil = read_soil(folder)
    series = _in_si_units(weather)
    starts = weather.index.to_numpy()[::hours].astype("datetime64[ns]")
    dataset = xr.Dataset(coords=_coordinates(starts, hours))
    for variable in _WEATHER:
        values = mean_over(series[variable.name], hours, min_valid_fraction)
        dataset[variable.name] = _labelled(variable, ("time", "cell"), values[:, None])
    celsius = series["air_temperature"].reshape(-1, hours)
    for variable, values in zip(_EXTREMES, (celsius.min(axis=1), celsius.max(axis=1)), strict=True):
        dataset[variable.name] = _labelled(variable, ("time", "cell"), values[:, None])
    moisture = soil[list(SOIL_COLUMNS)].to_numpy()[hours - 1 :: hours]
    dataset["soil_moisture"] = _labelled(
        _Variable(
            "soil_moisture",
            "volume_fraction_of_condensed_water_in_soil",
            "1",
            "volumetric soil moisture [m3 m-3], last hourly reading of the interval",
            "time: point",
        ),
        ("time", "soil_layer", "cell"),
        moisture[:, :, None],
    )
    for name in ("time", "time_bnds", "time_end"):
        dataset[name].encoding = {
            "units": "hours since 2014-01-01 00:00:00",
            "calendar": "standard",
            "dtype": "int32",
        }
    return dataset.assign_attrs(_attributes(repair, frequency, min_valid_fraction))


def mean_over(values: np.ndarray, hours: int, min_valid_fraction: float) -> np.ndarray:
    """Return means over groups of `hours` values; nan where too few of them are there.

    >>> mean_over(np.array([1.0, 3.0, np.nan, 4.0]), 2, 1.0).tolist()
    [2.0, nan]
    """
    groups = np.asarray(values, dtype=np.float64).reshape(-1, hours)
    valid = np.isfinite(groups)
    count = valid.sum(axis=1)
    total = np.where(valid, groups, 0.0).sum(axis=1)
    enough = count >= max(min_valid_fraction * hours, 1)
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def saturation_vapour_pressure(celsius: np.ndarray) -> np.ndarray:
    """Return e(T) = 610.8 exp(17.27 T / (T + 237.3)) [Pa]; Allen et al. (1998), FAO-56, eq. 11."""
    return 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))


def _in_si_units(weather: pd.DataFrame) -> dict[str, np.ndarray]:
    celsius = weather["airtemp_degC"].to_numpy()
    humidity = weather["relhum_perc"].to_numpy() / 100.0
    saturation = saturation_vapour_pressure(celsius)
    return {
        # mm day-1 = kg m-2 day-1 at 1000 kg m-3; the hourly value is a rate, not an amount
        "precipitation_flux": weather["rain_mmday"].to_numpy() / 86400.0,
        "air_temperature": celsius + ZERO_CELSIUS,
        "relative_humidity": humidity,
        "vapour_pressure": humidity * saturation,
        "vapour_pressure_deficit": (1.0 - humidity) * saturation,
        "wind_speed": weather["windspeed_ms"].to_numpy(),
        "shortwave_down": weather["solarrad_Wm2"].to_numpy(),
        "shortwave_toa": toa_radiation(weather.index, LATITUDE, LONGITUDE, utc_offset=1.0),
        "air_pressure": weather["airpressure_hPa"].to_numpy() * 100.0,
        "groundwater_head": weather[GROUNDWATER].to_numpy(),
    }


def _hours(frequency: str) -> int:
    hours, rest = divmod(parse_timestep(frequency).total_seconds(), 3600)
    if rest or not hours or 24 % hours:
        raise ForcingError(
            f"frequency {frequency!r}: expected whole hours that divide a day, such as '1h', '6h' or '1D'"
        )
    return int(hours)


def _coordinates(starts: np.ndarray, hours: int) -> dict[str, xr.Variable]:
    ends = starts + np.timedelta64(hours, "h")
    zone = "no zone in the files; Central European Time (UTC+1) agrees with the time of most sun"
    return {
        "time": xr.Variable(
            "time",
            starts,
            {"standard_name": "time", "axis": "T", "bounds": "time_bnds", "comment": zone},
        ),
        "time_bnds": xr.Variable(("time", "bnds"), np.stack([starts, ends], axis=1)),
        "time_end": xr.Variable("time", ends, {"long_name": "end of the interval, time of point values"}),
        "cell_id": xr.Variable("cell", ["schwingbach-24"], {"long_name": "site"}),
        "lat": xr.Variable(
            "cell",
            [LATITUDE],
            {"standard_name": "latitude", "units": "degrees_north", "comment": "approximate"},
        ),
        "lon": xr.Variable(
            "cell",
            [LONGITUDE],
            {"standard_name": "longitude", "units": "degrees_east", "comment": "approximate"},
        ),
        "altitude": xr.Variable("cell", [ALTITUDE], {"standard_name": "altitude", "units": "m", "positive": "up"}),
        "depth": xr.Variable(
            "soil_layer",
            np.array(DEPTHS),
            {
                "standard_name": "depth",
                "units": "m",
                "positive": "down",
                "long_name": "sensor depth",
            },
        ),
    }


def _labelled(variable: _Variable, dims: tuple[str, ...], values: np.ndarray) -> xr.Variable:
    attributes = {
        "standard_name": variable.standard_name,
        "long_name": variable.long_name,
        "units": variable.units,
        "cell_methods": variable.cell_methods,
    }
    return xr.Variable(dims, values, {key: text for key, text in attributes.items() if text})


def _attributes(repair: str, frequency: str, min_valid_fraction: float) -> dict[str, str]:
    return {
        "Conventions": "CF-1.11",
        "title": "Schwingbach site 24: weather and soil moisture, 2014-2016",
        "institution": "Chair of Landscape, Water and Biogeochemical Cycles, Justus Liebig University Giessen",
        "source": f"files shipped with spotpy {version('spotpy')}: weather station near Rechtenbach, soil moisture "
        "near Vollnkirchen, a few km away",
        "references": "Houska et al. (2015), doi:10.1371/journal.pone.0145180; "
        "https://www.uni-giessen.de/faculties/f09/institutes/ilr/hydro",
        "license": "any purpose with proper references in publications; provided as is",
        "history": f"read by crest-data {version('crest-data')}",
        "frequency": frequency,
        "time_zone": "UTC+1, inferred; days are local days and hours local hours",
        "repairs": repair,
        "changes": repair,
        "computed": "shortwave_toa from time and place; vapour_pressure and vapour_pressure_deficit from hourly "
        "temperature and humidity, FAO-56 eq. 11",
        "filled": "nothing",
        "missing": f"nan where less than {min_valid_fraction:g} of the hours were measured (groundwater_head only)",
        "remarks": "from 9 June to 24 July 2014 the rain gauge seems blocked: hardly any rain is recorded while soil "
        "and groundwater rise (11 June, 8 to 10 July), then 159 mm in two hours; solar radiation stays a third below "
        "a clear sky all year (shade or calibration); all kept",
    }
