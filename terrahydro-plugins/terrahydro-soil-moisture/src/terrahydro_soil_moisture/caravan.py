"""Caravan as the fields that the soil LSTM takes: liquid water, weather, and soil moisture of ERA5-Land."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import FieldError, conversion, registry
from terrahydro_soil_moisture.layers import Layers
from terrahydro_soil_moisture.ports import FLUX, FORCING, RAIN

ERA5_LAND_LAYERS: Layers = ((0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89))
"""Depth bounds [m] of the soil of ERA5-Land; Munoz-Sabater et al. (2021), doi:10.5194/essd-13-4349-2021."""
WATER = ("liquid", "total")
_KEPT = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "1", "cell_methods": "time: point"}


def soil_data(path: str | Path, *, ids: Sequence[str] | None = None, water: str = "liquid") -> xr.Dataset:
    """Return weather (time, cell) and `soil_moisture` (time, soil_layer, cell) by the names and units of the model.

    `path` is a folder of Caravan, read by the source "caravan" of crest-data; `ids` chooses catchments. Over a day:

    - precipitation_flux: `water="liquid"`, what reaches the soil: precipitation less the growth of the snow, cut at 0;
      "total", all of it. The growth is half the difference of the means of the next day and the day before.
    - vapour_pressure e = es(dew point); vapour_pressure_deficit (es(largest T) + es(smallest T)) / 2 - e, cut at 0;
      es = 610.94 exp(17.625 T / (T + 243.04)) Pa, Alduchov and Eskridge (1996).
    - wind_speed at 10 m of the mean components: less than the mean speed where the wind turns.
    - soil_moisture at the end of the day: the mean of the means of the day and the next.

    The first and the last day of a catchment have gaps.
    """
    if water not in WATER:
        raise FieldError(f"caravan-soil: water {water!r}; expected 'liquid' or 'total'")
    read: Callable[..., xr.Dataset] = registry().load("data_sources", "caravan")
    held = read(path, ids=ids)
    celsius, dew, warmest, coldest = (
        _in_units(held, name, "degC")
        for name in ("air_temperature", "dew_point_temperature", "air_temperature_max", "air_temperature_min")
    )
    snow, rain = _in_units(held, "snow_water_equivalent", "kg m-2"), _in_units(held, RAIN, FLUX)
    east, north = (_in_units(held, f"{way}ward_wind", "m s-1") for way in ("east", "north"))
    pressure = _saturation(dew)
    growth = 0.5 * (snow.shift(time=-1) - snow.shift(time=1))
    moisture = _variable(held, "soil_moisture")
    fields = {
        RAIN: (rain - growth).clip(min=0.0) if water == "liquid" else rain,
        "air_temperature": celsius,
        "vapour_pressure": pressure,
        "vapour_pressure_deficit": (0.5 * (_saturation(warmest) + _saturation(coldest)) - pressure).clip(min=0.0),
        "wind_speed": (east**2 + north**2) ** 0.5,
    }
    made = {name: value.assign_attrs(_attributes(name)) for name, value in fields.items()}
    end = (0.5 * (moisture + moisture.shift(time=-1))).assign_attrs(_KEPT, long_name="soil moisture of ERA5-Land")
    ends = ("time", held["time_bnds"].values[:, 1], {"long_name": "end of the interval, time of point values"})
    found = xr.Dataset({**made, "soil_moisture": end}, attrs=held.attrs)
    return found.assign_coords(time_bnds=held["time_bnds"], time_end=ends)


def _in_units(held: xr.Dataset, name: str, units: str) -> xr.DataArray:
    """Return a variable in the units asked for, whatever those of the source are."""
    given = _variable(held, name)
    return conversion(str(given.attrs["units"]), units)(given)


def _variable(held: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable; FieldError where the tables have no column of it."""
    if name not in held.data_vars:
        raise FieldError(
            f"caravan-soil: {name}: the tables hold no such variable, only {', '.join(map(str, held.data_vars))}; "
            "all columns of Caravan that the source computes from are needed"
        )
    return held[name]


def _saturation(celsius: xr.DataArray) -> xr.DataArray:
    exponential: xr.DataArray = xr.apply_ufunc(np.exp, 17.625 * celsius / (celsius + 243.04), dask="allowed")
    return 610.94 * exponential


def _attributes(name: str) -> dict[str, str]:
    spec = FORCING[name]
    return {"units": spec.units, "standard_name": spec.standard_name, "cell_methods": "time: mean"}
