"""SMAP: daily soil moisture of level 3 (36 and 9 km) and 3-hourly soil moisture of level 4, from HDF5, lazily."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.quality import GOOD, REJECTED
from crest_data.readers.local_file import as_path
from crest_data.readers.overpass_time import COMMENT, HOURS, OVERPASS_TIME, as_told, by_longitude, by_text
from crest_data.readers.progress import shown
from crest_data.readers.site_series import with_history
from crest_data.readers.smap_files import FILL, SmapFile, level4_time, on_grid, opened_group, smap_files
from crest_data.variable import Variable

_LICENCE = "NASA Earth science data, free of restrictions; cite the product"
_CITATION = {3: "SMAP L3, NSIDC DAAC; Entekhabi et al. (2010), doi:10.1109/JPROC.2010.2043918",
             4: "SMAP L4, NSIDC DAAC; Reichle et al. (2019), doi:10.1029/2019MS001729"}  # fmt: skip
_SOIL_WATER = "volume_fraction_of_condensed_water_in_soil"
_SURFACE, _ROOT_ZONE = (0.0, 0.05), (0.0, 1.0)  # m
_NOT_RECOMMENDED = 1  # bit 0 of retrieval_qual_flag


def _level4(name: str, vertical: tuple[float, float] | None, methods: str, long_name: str) -> Variable:
    return Variable(name, "m3 m-3", _SOIL_WATER, "1", methods, (FILL,), (0.0, 1.0), long_name, vertical)


# By product: the group, and its variables.
_GROUPS = {
    "gph": ("Geophysical_Data", {
        "sm_surface": _level4("soil_moisture_surface", _SURFACE, "time: mean", "soil moisture, 0 to 5 cm"),
        "sm_rootzone": _level4("soil_moisture_root_zone", _ROOT_ZONE, "time: mean", "soil moisture, 0 to 100 cm"),
    }),
    "aup": ("Analysis_Data", {
        "sm_surface_analysis": _level4("soil_moisture_surface", _SURFACE, "time: point", "analysis, 0 to 5 cm"),
        "sm_rootzone_analysis": _level4("soil_moisture_root_zone", _ROOT_ZONE, "time: point", "analysis, 0 to 100 cm"),
    }),
}  # fmt: skip


def read_smap(
    path: str | Path, *, overpass: str = "am", recommended: bool = True, fill_gaps: bool = False
) -> xr.Dataset:
    """Return soil moisture (time, y, x) of the files of one product, SPL3SMP, SPL3SMP_E, SPL4SMGP or SPL4SMAU.

    Product and time are told by the files' names. Level 3: the half-orbits of `overpass` "am" or "pm" in a UTC day;
    a retrieval that SMAP does not recommend (bit 0 of retrieval_qual_flag) is rejected, unless `recommended` is False;
    values beyond valid_min and valid_max are rejected. The time is the UTC day that the product is of. The instant in
    it is the coordinate overpass_time: tb_time_utc of the files, else 6 am or 6 pm local solar time by longitude. It is
    not the end of the day, so that there is no time_end; a daily model may use the day that it falls in. Level 4: gph
    are means over 3 h, aup the analysis at their end. A missing time is an error unless `fill_gaps`. Arrays are read
    when needed.
    """
    if overpass not in HOURS:
        raise DataError(f"overpass {overpass!r}: expected 'am' or 'pm'")
    folder = as_path(path)
    files = smap_files(folder)
    if files[0].product in _GROUPS:
        return _read_level4(files, fill_gaps)
    return _read_level3(files, overpass, recommended, fill_gaps)


def _read_level3(files: list[SmapFile], overpass: str, recommended: bool, fill_gaps: bool) -> xr.Dataset:
    ending = "" if overpass == "am" else "_pm"
    group = f"Soil_Moisture_Retrieval_Data_{overpass.upper()}"
    names = [f"{name}{ending}" for name in ("soil_moisture", "retrieval_qual_flag", "latitude", "longitude")]
    moisture, flag, latitude, longitude = names
    instant, days = f"tb_time_utc{ending}", []
    for file in shown(files, files[0].product):
        data = opened_group(file.path, group, names, (instant,))
        fields = data[[name for name in (moisture, flag, instant) if name in data]]
        days.append(on_grid(fields, data[latitude].values, data[longitude].values, file.path))
    days, told_by = _with_instants(days, instant)
    raw, changes = _in_time(days, files, "1D", fill_gaps)
    changes.append(f"{OVERPASS_TIME}: {told_by}")
    if instant in raw:
        raw = raw.assign_coords({OVERPASS_TIME: as_told(raw[instant], instant)}).drop_vars(instant)
    else:
        raw = raw.assign_coords({OVERPASS_TIME: by_longitude(raw["time"].values, raw["lon"], HOURS[overpass])})
    variable = Variable(
        "soil_moisture", "m3 m-3", _SOIL_WATER, "1", "time: point", (FILL,), (0.0, 1.0), vertical=_SURFACE, reject=True,
        long_name=f"soil moisture at the 6 {overpass} overpass (local solar time) of the UTC day", comment=COMMENT,
        point_time=OVERPASS_TIME,
    )  # fmt: skip
    flags = {}
    if recommended:
        flags["soil_moisture"] = _level3_quality(raw[flag])
        changes.append(f"soil_moisture: {flag} bit 0 set (not recommended) -> rejected")
    else:
        changes.append(f"soil_moisture: {flag} is not applied")
    dataset = conform(
        raw[[moisture]], {moisture: variable}, step="1D", flags=flags, licence=_LICENCE, citation=_CITATION[3],
        source=f"SMAP {files[0].product} HDF5 files, {group}",
    )  # fmt: skip
    return with_history(dataset, changes)


def _with_instants(days: list[xr.Dataset], name: str) -> tuple[list[xr.Dataset], str]:
    """Return the days with the dates of overpasses if all files tell them, else without, and what tells them."""
    if not all(name in day for day in days):
        return [day.drop_vars(name, errors="ignore") for day in days], "local solar time by longitude, UTC"
    return [day.assign({name: by_text(day[name])}) for day in days], f"{name} of the files"


def _level3_quality(flag: xr.DataArray) -> xr.DataArray:
    """Return codes of quality: rejected where bit 0 is set; a fill value of soil moisture is missing anyway."""
    codes = flag.fillna(0).astype(np.uint16) & _NOT_RECOMMENDED
    return xr.where(codes == _NOT_RECOMMENDED, REJECTED, GOOD).astype(np.uint8)


def _read_level4(files: list[SmapFile], fill_gaps: bool) -> xr.Dataset:
    product = files[0].product
    group, variables = _GROUPS[product]
    steps, apart = [], 0.0
    for file in shown(files, f"SMAP L4 {product}"):
        data = opened_group(file.path, group, list(variables))
        cells = opened_group(file.path, "/", ["cell_lat", "cell_lon"])
        apart = max(apart, level4_time(file.path, file.time))
        steps.append(on_grid(data, cells["cell_lat"].values, cells["cell_lon"].values, file.path))
    raw, changes = _in_time(steps, files, "3h", fill_gaps)
    if apart:
        changes.append(f"time: {apart:.3g} s of leap seconds since 2000 left out, as in the files' names")
    label = "middle" if product == "gph" else "end"
    dataset = conform(
        raw, variables, step="3h", label=label, licence=_LICENCE, citation=_CITATION[4],
        source=f"SMAP L4_SM {product} HDF5 files, {group}",
    )  # fmt: skip
    return with_history(dataset, changes)


def _in_time(
    steps: Sequence[xr.Dataset], files: list[SmapFile], step: str, fill_gaps: bool
) -> tuple[xr.Dataset, list[str]]:
    """Return the files' data along time; DataError names a time that is absent, unless gaps are filled with nan."""
    times = pd.DatetimeIndex([file.time for file in files])
    axis = pd.date_range(times[0], times[-1], freq=step)
    if not times.isin(axis).all():
        raise DataError(f"{files[0].path.parent}: the files' times are not {step} apart, from {times[0]}")
    for data, file in zip(steps, files, strict=True):
        if data.sizes != steps[0].sizes:
            raise DataError(f"{file.path}: a grid of {dict(data.sizes)}, the first file has {dict(steps[0].sizes)}")
        if not all(np.allclose(data[name], steps[0][name], rtol=0.0, atol=1e-3) for name in ("lat", "lon")):
            raise DataError(f"{file.path}: the grid lies elsewhere than that of the first file, {files[0].path.name}")
    raw = xr.concat(steps, dim="time", coords="minimal", compat="override", join="override", combine_attrs="override")
    raw = raw.assign_coords(time=times.to_numpy().astype("datetime64[ns]"))
    absent = axis[~axis.isin(times)]
    if absent.empty:
        return raw, []
    said = f"{len(absent)} times are absent, the first {absent[0]:%Y-%m-%dT%H:%M}"
    if not fill_gaps:
        raise DataError(f"{files[0].path.parent}: {said}; get those files, or ask for fill_gaps=True to have nan")
    return raw.reindex(time=axis.to_numpy().astype("datetime64[ns]")), [f"{said}; inserted as nan"]
