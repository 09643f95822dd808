"""Two places that the twin runs at out of the box: their records come with Python packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr

from crest_core import ForcingError, registry
from terrahydro import fao56
from terrahydro.coupled import CONSTANT

PLACES = ("schwingbach", "fulda")
OBSERVED = ("soil_moisture", "runoff_flux")
ZERO_CELSIUS = 273.15  # K
DAY = 86400.0  # s
FULDA_AREA = 2976e6  # m2, of the gauge Grebenau
# What the records do not tell about the land; (elevation m, slope m km-1, forest 1, largest leaf area index 1).
_LAND = {"schwingbach": (239.0, 30.0, 0.3, 3.5), "fulda": (370.0, 45.0, 0.4, 3.8)}
_CLASSES = ("enf", "dbf", "ebf", "mf", "gra", "cro", "wet", "shr", "sav")  # land cover, IGBP
_COVER = {
    "schwingbach": {"cro": 0.4, "gra": 0.3, "dbf": 0.3},
    "fulda": {"cro": 0.35, "gra": 0.25, "dbf": 0.2, "enf": 0.2},
}
_POINT = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "1", "cell_methods": "time: point"}


def twin_weather(
    place: str, *, constant_root_zone: float = 0.3, leave_out: Sequence[Sequence[str | date]] = ()
) -> xr.Dataset:
    """Return weather, attributes and observations (time, cell) of a place, daily, by the names that the twin takes.

    "schwingbach": measured weather and `soil_moisture` in three layers, 2014-2016. "fulda": measured precipitation and
    temperature, and `runoff_flux` observed at Grebenau, 1979-1988; humidity, radiation and wind are estimates from the
    temperature after FAO-56, and say so in their attribute `comment`. Attributes of the land are assumed where the
    record cannot tell them. `constant_root_zone` [m3 m-3] is what a twin without feedback sees of the soil.
    Observations from the first to before the second day of each pair of `leave_out` are nan, for a training that shall
    not see them.

    >>> str(twin_weather("fulda")["shortwave_down"].attrs["comment"])
    'estimate, not measured: FAO-56, eq. 50'
    """
    if place not in PLACES:
        raise ForcingError(f"twin-weather: place {place!r}; expected one of {list(PLACES)}")
    data = _schwingbach() if place == "schwingbach" else _fulda()
    made = {
        name: xr.Variable(("cell",), [value], attributes) for name, (value, attributes) in _land(place, data).items()
    }
    constant = np.full(data["precipitation_flux"].shape, constant_root_zone)
    told = {**_POINT, "comment": "a constant, for a twin without feedback"}
    made[CONSTANT] = xr.Variable(("time", "cell"), constant, told)
    return _without(data.assign(made), leave_out)


def _without(data: xr.Dataset, periods: Sequence[Sequence[str | date]]) -> xr.Dataset:
    """Return the data with the observations of some periods unknown."""
    unknown = np.zeros(data.sizes["time"], dtype=bool)
    for period in periods:
        try:
            start, end = (np.datetime64(str(day), "ns") for day in period)
        except ValueError:
            raise ForcingError(f"twin-weather: leave_out {period!r}; expected two dates, as [2014-06-09, 2014-08-15]") \
                from None  # fmt: skip
        if not start < end:
            raise ForcingError(f"twin-weather: leave_out {period!r} hides nothing; the second day comes later")
        unknown |= (data["time"].values >= start) & (data["time"].values < end)
    seen = xr.DataArray(~unknown, dims="time")
    return data.assign(
        {name: data[name].where(seen).assign_attrs(data[name].attrs) for name in OBSERVED if name in data}
    )


def _schwingbach() -> xr.Dataset:
    read: Callable[[], xr.Dataset] = registry().load("data_sources", "schwingbach")
    return read().drop_vars("groundwater_head")


def _fulda() -> xr.Dataset:
    read: Callable[[str], xr.Dataset] = registry().load("data_sources", "catalogue")
    data = read("fulda")
    lowest, highest = (data[f"air_temperature_{end}"].values - ZERO_CELSIUS for end in ("min", "max"))
    days = pd.DatetimeIndex(data["time"].values).day_of_year.to_numpy(dtype=np.float64)[:, None]
    toa = fao56.toa_of_day(days, float(data["lat"].values[0]))
    vapour, deficit = fao56.humidity(lowest, highest)
    altitude = _LAND["fulda"][0]
    fields = {
        "shortwave_toa": (toa, "toa_incoming_shortwave_flux", "W m-2", "computed: FAO-56, eq. 21"),
        "shortwave_down": (fao56.shortwave(lowest, highest, toa, altitude), "surface_downwelling_shortwave_flux_in_air",
                           "W m-2", "estimate, not measured: FAO-56, eq. 50"),
        "vapour_pressure": (vapour, "water_vapor_partial_pressure_in_air", "Pa",
                            "estimate, not measured: FAO-56, eq. 48"),
        "vapour_pressure_deficit": (deficit, "water_vapor_saturation_deficit_in_air", "Pa",
                                    "estimate, not measured: FAO-56, eq. 12 and 48"),
        "wind_speed": (np.full(toa.shape, fao56.WIND), "wind_speed", "m s-1", "assumed: FAO-56, p. 63"),
    }  # fmt: skip
    made = {
        name: xr.Variable(("time", "cell"), np.broadcast_to(values, lowest.shape).copy(),
                          {"standard_name": standard, "units": units, "cell_methods": "time: mean", "comment": comment})
        for name, (values, standard, units, comment) in fields.items()
    }  # fmt: skip
    observed = {"standard_name": "runoff_flux", "units": "kg m-2 day-1", "cell_methods": "time: mean",
                "comment": f"discharge / {FULDA_AREA / 1e6:g} km2"}  # fmt: skip
    runoff = data["discharge"].values / FULDA_AREA * 1000.0 * DAY
    made["runoff_flux"] = xr.Variable(("time", "cell"), runoff, observed)
    return data.assign(made).drop_vars("discharge")


def _land(place: str, data: xr.Dataset) -> Mapping[str, tuple[float, Mapping[str, str]]]:
    """Return the attributes that snow and carbon models take: the climate from the record, the land as assumed."""
    mean, lowest, highest = (data[name].values - ZERO_CELSIUS for name in
                             ("air_temperature", "air_temperature_min", "air_temperature_max"))  # fmt: skip
    rain = data["precipitation_flux"].values * DAY
    thirst = fao56.reference(mean, lowest, highest, data["shortwave_toa"].values)
    known, told = "computed from the record", "assumed, the record does not tell it"
    elevation, slope, forest, leaves = _LAND[place]
    months = pd.DatetimeIndex(data["time"].values).month
    by_month = pd.Series(mean[:, 0]).groupby(months).mean()
    covers = {f"cover_{name}": (_COVER[place].get(name, 0.0), {"units": "1", "comment": told}) for name in _CLASSES}
    return {
        **covers,
        "temperature_mean": (float(mean.mean()), {"units": "degC", "comment": known}),
        "temperature_spread": (float(by_month.std(ddof=0)), {"units": "degC", "comment": known}),
        "shortwave_mean": (float(data["shortwave_down"].mean()), {"units": "W m-2", "comment": known}),
        "deficit_mean": (float(data["vapour_pressure_deficit"].mean()), {"units": "Pa", "comment": known}),
        "latitude": (float(data["lat"].values[0]), {"units": "degree_north", "comment": "of the place, approximate"}),
        "p_mean": (float(rain.mean()), {"units": "mm day-1", "comment": known}),
        "frac_snow": (float(rain[mean < 0.0].sum() / rain.sum()), {"units": "1", "comment": known}),
        "aridity": (float(thirst.mean() / rain.mean()), {"units": "1", "comment": f"{known}, FAO-56, eq. 52"}),
        "elev_mean": (elevation, {"units": "m", "comment": told}),
        "slope_mean": (slope, {"units": "m km-1", "comment": told}),
        "frac_forest": (forest, {"units": "1", "comment": told}),
        "lai_max": (leaves, {"units": "1", "comment": told}),
    }
