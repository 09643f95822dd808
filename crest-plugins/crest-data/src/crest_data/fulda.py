"""Fulda at Grebenau, Germany: daily weather and discharge 1979-1988, from a file that spotpy ships."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from crest_data.convention import conform
from crest_data.readers.local_file import as_path
from crest_data.readers.text_table import read_table
from crest_data.variable import Variable

_COLUMNS = ("date", "tmax", "tmin", "tmean", "Prec", "Q")
# Gauge Grebenau; rounded, since the file names no coordinates. The weather is a mean over the catchment.
_LATITUDE, _LONGITUDE = 51.2, 9.5  # degrees
_VARIABLES = {
    "tmax": Variable(
        "air_temperature_max", "degC", "air_temperature", to_units="K", cell_methods="time: maximum",
        bounds=(200.0, 340.0), long_name="highest air temperature of the day",
    ),
    "tmin": Variable(
        "air_temperature_min", "degC", "air_temperature", to_units="K", cell_methods="time: minimum",
        bounds=(200.0, 340.0), long_name="lowest air temperature of the day",
    ),
    "tmean": Variable(
        "air_temperature", "degC", "air_temperature", to_units="K", bounds=(200.0, 340.0),
        long_name="air temperature, mean of the highest and the lowest",
    ),
    "Prec": Variable(
        "precipitation_flux", "mm day-1", "precipitation_flux", to_units="kg m-2 s-1", bounds=(0.0, 0.02),
        long_name="precipitation, mean over the catchment", positive="down",
    ),
    "Q": Variable(
        "discharge", "m3 s-1", "water_volume_transport_in_river_channel", bounds=(0.0, 1e5),
        long_name="discharge at the gauge, of 2976 km2",
    ),
}  # fmt: skip


def read_fulda(path: str | Path) -> xr.Dataset:
    """Return daily temperature, precipitation and discharge (time, cell) of spotpy's file `fulda_climate.csv`.

    Days are local days as they stand in the file, which tells no time zone. The units are those of its second line.
    """
    path = as_path(path)
    table = read_table(path, skip=2, names=_COLUMNS, numbers=list(_VARIABLES))
    data = {name: (("time", "cell"), table.frame[name].to_numpy()[:, None]) for name in _VARIABLES}
    coords = {
        "time": table.times("date", "%d.%m.%Y").as_unit("ns").to_numpy(),
        "cell": ["grebenau"],
        "lat": ("cell", [_LATITUDE]),
        "lon": ("cell", [_LONGITUDE]),
    }
    return conform(
        xr.Dataset(data, coords),
        _VARIABLES,
        step="1D",
        time_zone="local days, the file tells no zone",
        source=f"{path.name}, shipped with spotpy: Fulda at Grebenau, Germany",
    )
