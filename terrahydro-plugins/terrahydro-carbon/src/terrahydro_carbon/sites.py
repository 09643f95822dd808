"""FLUXNET2015 as the fields that the carbon models take, for training samples and for runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import FieldError, FieldSpec, conversion, registry
from terrahydro_carbon.ports import CLIMATE, COVER, DRIVERS, GPP, NEE, OUTPUTS, RECO, ROOT_ZONE, driver_ports

SOLAR_CONSTANT = 1366.7  # W m-2, 0.0820 MJ m-2 min-1; FAO-56 eq. 21
WET = 0.4  # m3 m-3, above the range in which any soil holds photosynthesis back
_JOINED = {"OSH": "shr", "CSH": "shr", "WSA": "sav"}  # classes of IGBP with few towers
_WEATHER = (*DRIVERS[:3], "air_temperature_min", "air_temperature_max")


def site_data(
    path: str | Path,
    sites: str | Path,
    *,
    cover: str | Path | None = None,
    ids: Sequence[str] | None = None,
    min_good_fraction: float = 0.5,
    wet_soil: bool = False,
    fewest_days: int = 365,
    most_years: int | None = None,
) -> xr.Dataset:
    """Return weather, climate and observed fluxes of carbon (time, cell) by the names and in the units of the models.

    `path` is a folder of daily tables or a netCDF file that the source "flux-towers" of crest-data reads, `sites` a
    table with the columns site, lat, lon. Fluxes are nan on days with less than `min_good_fraction` of good half-hours;
    sites with fewer than `fewest_days` other days are left out, unless `ids` names them. Photosynthesis is that of the
    night-time partitioning, respiration = net exchange + photosynthesis. `shortwave_toa` comes from latitude and day.
    The climate (attributes of CLIMATE) is the mean over the weather that is there. `cover` is a table with the columns
    flux_site and LC, IGBP's class of the site's land cover: each becomes 1 in one attribute of COVER and 0 in the
    others; a class that is none of them, and a site that is not in the table, have 0 in all. Of `most_years` calendar
    years a site, spread evenly over those that it has, fluxes are kept. With `wet_soil` there is the variable
    root_zone_soil_moisture, 0.4 m3 m-3 throughout: it was not measured, and so wet a soil holds nothing back.
    """
    if most_years is not None and (type(most_years) is not int or most_years < 1):
        raise FieldError(f"fluxnet-carbon: most_years {most_years!r}; expected a whole number, 1 or more, or None")
    if type(fewest_days) is not int:
        raise FieldError(f"fluxnet-carbon: fewest_days {fewest_days!r}; expected a whole number")
    classes = {} if cover is None else _classes(Path(cover))
    read: Callable[..., xr.Dataset] = registry().load("data_sources", "flux-towers")
    held = read(path, ids=ids, sites=sites, min_good_fraction=min_good_fraction)
    data = xr.Dataset({spec.name: _in_units(held, spec) for spec in driver_ports((*DRIVERS, *_WEATHER[3:]))
                       if spec.name in _WEATHER}, attrs=held.attrs)  # fmt: skip
    _check_latitude(data)
    data["shortwave_toa"] = _toa(data).assign_attrs(_meaning("shortwave_toa"))
    for spec in OUTPUTS[:2]:
        data[spec.name] = _in_units(held, spec)
    respiration = (data[NEE] + data[GPP]).where(data[NEE].notnull())
    data[GPP] = data[GPP].where(data[NEE].notnull()).assign_attrs(data[GPP].attrs)
    data[RECO] = respiration.assign_attrs(_meaning(RECO))
    if ids is None:
        enough = (data[NEE].notnull().sum("time") >= fewest_days).values
        if not enough.any():
            raise FieldError(f"fluxnet-carbon: none of {len(enough)} sites has fewest_days {fewest_days} with fluxes; "
                             "ask for fewer, or name sites by ids")  # fmt: skip
        data = data.isel(cell=np.flatnonzero(enough))
    if most_years is not None:
        data = _thinned(data, most_years)
    for name, values in _climate(data).items():
        data[name] = values.assign_attrs(units=CLIMATE[name])
    if cover is not None:
        named = [classes.get(str(one), "") for one in data["cell_id"].values]
        for name, units in COVER.items():
            shares = [float(one == name.removeprefix("cover_")) for one in named]
            data[name] = xr.DataArray(np.array(shares, dtype=np.float32), dims="cell", attrs={"units": units})
    if wet_soil:
        spec = driver_ports((*DRIVERS, ROOT_ZONE))[-1]
        data[ROOT_ZONE] = xr.full_like(data[NEE], WET).drop_attrs().assign_attrs(_attributes(spec))
        ends = xr.Variable("time", data["time"].values + np.timedelta64(1, "D"))
        data = data.assign_coords(time_end=ends)  # a state holds at the end of the day
    bounds = {"time_bnds": held["time_bnds"]} if "time_bnds" in held.variables else {}
    return data.transpose("time", "cell", ...).assign_coords(bounds)


def _thinned(data: xr.Dataset, most: int) -> xr.Dataset:
    """Return the data with the fluxes of at most so many years of each site, evenly spread."""
    year, seen = data["time"].dt.year.values, data[NEE].notnull().values
    kept = np.zeros(seen.shape, dtype=bool)
    for cell in range(seen.shape[1]):
        known = np.unique(year[seen[:, cell]])
        chosen = known[np.unique(np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int))]
        kept[:, cell] = np.isin(year, chosen)
    where = xr.DataArray(kept, dims=("time", "cell"))
    return data.assign({one.name: data[one.name].where(where).assign_attrs(data[one.name].attrs) for one in OUTPUTS})


def _classes(path: Path) -> dict[str, str]:
    """Return the class of land cover by site, in lower case, as COVER has it."""
    if not path.is_file():
        raise FieldError(f"{path}: there is no such table of land cover; expected columns flux_site and LC")
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise FieldError(f"{path}: byte {error.start} is no UTF-8 text; is this a table of land cover?") from error
    if lacking := {"flux_site", "LC"} - set(rows.fieldnames or ()):
        raise FieldError(f"{path}: no columns {sorted(lacking)}; expected flux_site and LC, IGBP's class")
    found: dict[str, str] = {}
    for row in rows:
        site, given = (row["flux_site"] or "").strip(), (row["LC"] or "").strip().upper()
        cover = _JOINED.get(given, given).lower()
        if found.setdefault(site, cover) != cover:
            raise FieldError(f"{path}: site {site!r} has two classes, {found[site]!r} and {cover!r}; keep one row")
    return found


def _check_latitude(data: xr.Dataset) -> None:
    """Raise FieldError where a site is nowhere: no radiation outside the atmosphere could be computed for it."""
    unknown = data["cell_id"].values[data["lat"].isnull().values]
    if len(unknown):
        raise FieldError(f"fluxnet-carbon: no latitude of the sites {', '.join(map(str, unknown[:5]))} ({len(unknown)} "
                         "in all), which shortwave_toa is computed from; give it in the table of sites")  # fmt: skip


def _in_units(held: xr.Dataset, spec: FieldSpec) -> xr.DataArray:
    """Return the values of a field in its units, with its meaning in the attributes."""
    if spec.name not in held.data_vars:
        raise FieldError(f"{spec.name}: the data hold none, only {', '.join(map(str, held.data_vars))}")
    given = held[spec.name]
    change = conversion(str(given.attrs["units"]), spec.units)
    return change(given).drop_attrs(deep=False).assign_attrs(_attributes(spec)).rename(spec.name)


def _meaning(name: str) -> dict[str, str]:
    known = {spec.name: spec for spec in (*driver_ports(DRIVERS), *OUTPUTS)}
    return _attributes(known[name])


def _attributes(spec: FieldSpec) -> dict[str, str]:
    told = {"units": spec.units, "standard_name": spec.standard_name, "cell_methods": spec.cell_methods,
            "positive": spec.positive}  # fmt: skip
    return {key: value for key, value in told.items() if value}


def _climate(data: xr.Dataset) -> dict[str, xr.DataArray]:
    celsius = data["air_temperature"]
    monthly = celsius.groupby("time.month").mean("time")
    return {
        "temperature_mean": celsius.mean("time"),
        "temperature_spread": monthly.std("month"),
        "shortwave_mean": data["shortwave_down"].mean("time"),
        "deficit_mean": data["vapour_pressure_deficit"].mean("time"),
        "latitude": data["lat"].reset_coords(drop=True) + 0.0,
    }


def _toa(data: xr.Dataset) -> xr.DataArray:
    """Return the mean radiation [W m-2] outside the atmosphere over a day (time, cell); FAO-56 eq. 21-25."""
    phi = np.radians(data["lat"].reset_coords(drop=True))
    angle = 2.0 * np.pi * data["time"].dt.dayofyear / 365.0
    distance, declination = 1.0 + 0.033 * np.cos(angle), 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos((-np.tan(phi) * np.tan(declination)).clip(-1.0, 1.0))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return (SOLAR_CONSTANT / np.pi * distance * height).clip(min=0.0).transpose("time", "cell")
