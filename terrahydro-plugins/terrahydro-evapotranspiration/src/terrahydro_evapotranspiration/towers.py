"""Flux towers as the fields that the evapotranspiration models take, for training samples and for runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import e, pi
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import FieldError, FieldSpec, conversion, registry
from terrahydro_evapotranspiration.ports import DRIVERS, FLUXES, OPTIONAL

SOLAR_CONSTANT = 1366.7  # W m-2, 0.0820 MJ m-2 min-1; FAO-56 eq. 21
DRIEST = 50.0  # Pa, below which the vapour pressure that is left of e_s(T) - VPD is not taken
READERS = ("flux-towers", "fluxnet")
_NAMES = {"latent_heat": "latent_heat_flux", "sensible_heat": "sensible_heat_flux", "ground_heat": "ground_heat_flux"}
_SENSORS = "soil_moisture_"
_MADE = {"vapour_pressure", "shortwave_toa", "root_zone_soil_moisture", "evapotranspiration"}


@dataclass(frozen=True)
class LevelShift:
    """A day on which the level of a tower's soil moisture jumps and stays."""

    day: str
    months: tuple[int, ...]
    """Months in which the soil is about equally wet every year; they tell the shift of each sensor."""


LEVEL_SHIFTS = {"CH-Lae": LevelShift("2007-01-01", (12, 1, 2, 3)), "US-Wkg": LevelShift("2007-08-01", (5, 6))}


def tower_weather(
    path: str | Path,
    *,
    sites: str | Path,
    ids: Sequence[str] | None = None,
    reader: str = "flux-towers",
    min_good_fraction: float = 0.5,
) -> xr.Dataset:
    """Return weather, soil moisture and observed fluxes (time, cell) by the names and in the units of the models.

    `reader` is the data source that reads `path`: "flux-towers", tables of towers, or "fluxnet", files of FLUXNET2015;
    `sites` is a table with the columns site, lat, lon. Made here: `vapour_pressure` = e_s(T) - VPD, at least 50 Pa;
    `shortwave_toa` from latitude and day; `evapotranspiration` = LE / lambda(T); `root_zone_soil_moisture`, the mean
    of the sensors that are there, each at a common level (see `common_level`), its gaps left nan. Fluxes are nan on
    days with less than `min_good_fraction` good half-hours: of themselves by "fluxnet"; by "flux-towers", whose tables
    do not tell that, of net ecosystem exchange, which comes from the same instrument. Weather is gap-filled.
    """
    if reader not in READERS:
        raise FieldError(f"tower-weather: reader {reader!r}; expected one of {list(READERS)}")
    read: Callable[..., xr.Dataset] = registry().load("data_sources", reader)
    held = read(path, ids=ids, sites=sites)
    _check_latitude(held)
    good = read(path, ids=ids, sites=sites, min_good_fraction=min_good_fraction)
    observed = xr.Dataset({n: good[o] for n, o in _NAMES.items() if o in good})
    if "net_radiation" in good:
        observed["net_radiation"] = good["net_radiation"] if reader == "fluxnet" else held["net_radiation"]
    if reader != "fluxnet" and "net_ecosystem_exchange" in good:
        seen = good["net_ecosystem_exchange"].notnull()
        for name in set(_NAMES) & set(observed):
            observed[name] = observed[name].where(seen)
    specs = [*DRIVERS, *(spec for spec in OPTIONAL if spec.name in held)]
    fields = {spec.name: _in_units(held, spec) for spec in specs if spec.name not in _MADE}
    fields |= {spec.name: _in_units(observed, spec) for spec in FLUXES if spec.name in observed}
    data = xr.Dataset(fields, attrs=held.attrs)
    celsius, day = data["air_temperature"], data["time"].dt.dayofyear
    saturated = 610.8 * e ** (17.27 * celsius / (celsius + 237.3))  # FAO-56 eq. 11
    made: dict[str, xr.DataArray] = {
        "vapour_pressure": (saturated - data["vapour_pressure_deficit"]).clip(min=DRIEST),
        "shortwave_toa": toa_radiation(data["lat"], day).transpose("time", "cell"),
        "root_zone_soil_moisture": _root_zone(held),
    }
    if "latent_heat" in data:
        made["evapotranspiration"] = data["latent_heat"] / (2.501e6 - 2361.0 * celsius)
    for spec in (*DRIVERS, *FLUXES):
        if spec.name in made:
            data[spec.name] = made[spec.name].assign_attrs(_attributes(spec))
    bounds = {"time_bnds": held["time_bnds"]} if "time_bnds" in held.variables else {}
    return data.transpose("time", "cell", ...).assign_coords(bounds)


def toa_radiation(latitude: xr.DataArray, day: xr.DataArray) -> xr.DataArray:
    """Return the mean solar radiation outside the atmosphere [W m-2] on a day of the year; FAO-56 eq. 21-25."""
    turn = 2.0 * pi / 365.0 * day
    phi, declination = np.deg2rad(latitude), 0.409 * np.sin(turn - 1.39)
    nearness = 1.0 + 0.033 * np.cos(turn)
    sunset = np.arccos((-np.tan(phi) * np.tan(declination)).clip(-1.0, 1.0))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return SOLAR_CONSTANT / pi * nearness * height


def common_level(sensors: xr.DataArray, shift: LevelShift | None) -> xr.DataArray:
    """Return the series (sensor, time) of one tower at a common level, so that a gap in one makes no step in the mean.

    Before a level shift each sensor is moved by the difference of its medians in the months told, of the year after
    and the year before it;
    then each by the difference of its mean from that of all, over the days on which all are there.
    """
    if shift is not None:
        before = sensors["time"] < np.datetime64(shift.day)
        near = abs(sensors["time"] - np.datetime64(shift.day)) < np.timedelta64(366, "D")
        told = sensors.where(near & sensors["time"].dt.month.isin(shift.months))
        step = told.where(~before).median("time") - told.where(before).median("time")
        sensors = sensors + xr.where(before, step.fillna(0.0), 0.0)
    there = sensors.dropna("sensor", how="all")
    together = there.where(there.notnull().all("sensor")).mean("time")
    return there - (together - together.mean("sensor")).fillna(0.0)


def _check_latitude(held: xr.Dataset) -> None:
    """Raise FieldError where a tower is nowhere: no radiation outside the atmosphere could be computed for it."""
    unknown = held["cell_id"].values[held["lat"].isnull().values]
    if len(unknown):
        raise FieldError(f"tower-weather: no latitude of the sites {', '.join(map(str, unknown[:5]))} ({len(unknown)} "
                         "in all), which shortwave_toa is computed from; give it in the table of sites")  # fmt: skip


def _root_zone(held: xr.Dataset) -> xr.DataArray:
    """Return the mean over the sensors of each tower (time, cell), nan where there is none."""
    names = sorted(str(name) for name in held.data_vars if _is_sensor(str(name)))
    if not names:
        return xr.full_like(held["air_temperature"], np.nan)
    whole = xr.concat([held[name].drop_attrs() for name in names], "sensor", coords="minimal", compat="override")
    ids = [str(one) for one in held["cell_id"].values]
    towers = [
        common_level(whole.isel(cell=i), LEVEL_SHIFTS.get(one)).mean("sensor").clip(0.0, 1.0)
        for i, one in enumerate(ids)
    ]
    values = np.stack([one.transpose("time").values for one in towers], axis=-1)
    return held["air_temperature"].drop_attrs().transpose("time", "cell").copy(data=values)


def _is_sensor(name: str) -> bool:
    return name.startswith(_SENSORS) and name.removeprefix(_SENSORS).isdigit()


def _in_units(held: xr.Dataset, spec: FieldSpec) -> xr.DataArray:
    """Return the values of a field in its units."""
    if spec.name not in held:
        raise FieldError(f"{spec.name}: the data hold no such variable, only {', '.join(map(str, held.data_vars))}")
    given = held[spec.name]
    values = conversion(str(given.attrs["units"]), spec.units)(given)
    return values.drop_attrs(deep=False).assign_attrs(_attributes(spec)).rename(spec.name)


def _attributes(spec: FieldSpec) -> dict[str, str]:
    told = {"units": spec.units, "cell_methods": "time: mean"}  # of soil moisture, too
    told |= {"standard_name": spec.standard_name} if spec.standard_name else {}
    return told | ({"positive": spec.positive} if spec.positive else {})
