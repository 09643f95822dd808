"""Layouts of ERA5 files: of the old and the new Climate Data Store and GRIB, brought to one.

Old: time, latitude, longitude, packed integers, a dim expver (1 final, 5 preliminary). New: valid_time, scalar number,
expver as a coordinate of valid_time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.era5_variables import ALIASES, UNITS
from crest_data.readers.grib import open_grib
from crest_data.readers.gridded import told
from crest_data.readers.local_file import expect_kind, local_file
from crest_data.readers.netcdf3_size import check_not_cut
from crest_data.times import calendar_of

_MONTHLY = ("avgua", "avgad", "avgid", "avgas")
_DROPPED = ("number", "surface", "step", "expver", "depthBelowLandLayer", "heightAboveGround", "meanSea")


def opened(path: str | Path, chunks: Mapping[str, int] | None) -> tuple[xr.Dataset, list[str]]:
    """Return one file by time, latitude and longitude, lazily, and what was changed."""
    path = local_file(path)
    kind = expect_kind(path, "netCDF-4", "netCDF-3", "GRIB")
    if kind == "netCDF-3":
        check_not_cut(path)
    if kind == "GRIB":
        raw = open_grib(path, chunks=chunks)
    else:
        with told(path):
            raw = xr.open_dataset(path, engine="netcdf4", chunks=chunks)
    with told(path):
        raw, notes = _one_version(_one_time(raw))
    raw = raw.rename({old: new for old, new in ALIASES.items() if old in raw.data_vars})
    for name, variable in raw.data_vars.items():
        if variable.attrs.get("GRIB_stepType") in _MONTHLY:
            raise DataError(f"{path}: {name} is a monthly mean; read hourly or daily data, or use read_netcdf")
        units = str(variable.attrs.get("units", ""))
        variable.attrs["units"] = UNITS.get(units, units)
    return raw, notes


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return parts of one layout, one after the other in time; DataError unless they are on one grid and follow."""
    if len(calendars := sorted({calendar_of(part["time"].values) for part in parts})) > 1:
        raise DataError(f"files are of the calendars {' and '.join(calendars)}; read those of each by themselves")
    parts = sorted(parts, key=lambda part: part["time"].values[0])
    for before, after in zip(parts, parts[1:], strict=False):
        last, first = before["time"].values[-1], after["time"].values[0]
        if first <= last:
            raise DataError(
                f"files overlap in time: one ends at {last}, the next starts at {first}; keep each time once"
            )
        for name in ("latitude", "longitude"):
            if not np.array_equal(before[name].values, after[name].values):
                raise DataError(f"files are not on one grid: their values of {name} differ; read each area by itself")
    whole = parts[0]
    if len(parts) > 1:
        whole = xr.concat(parts, dim="time", join="exact", combine_attrs="override", data_vars="minimal",
                          coords="minimal", compat="override")  # fmt: skip
    return whole


def check_spacing(times: np.ndarray, step: np.timedelta64, *, sampled: bool) -> None:
    """Raise if times are not `step` apart, unless they are samples of such a series."""
    gaps = np.diff(times)
    if not gaps.size:
        return
    if gaps.min() >= np.timedelta64(27, "D"):
        raise DataError("times are a month apart: monthly means are not read here; use read_netcdf")
    if gaps.min() != step and not sampled:
        raise DataError(
            f"times are {gaps.min().astype('timedelta64[m]')} apart, expected {step.astype('timedelta64[m]')}; if they "
            f"are hours chosen from hourly data say sampled=True, daily means are read by read_netcdf"
        )


def _one_time(raw: xr.Dataset) -> xr.Dataset:
    """Return the dataset with the dim time, the valid time."""
    if "valid_time" in raw.dims:
        raw = raw.drop_vars("time", errors="ignore").rename(valid_time="time")
    if "time" not in raw.dims:
        raise DataError(f"expected a dim time or valid_time, got {sorted(map(str, raw.dims))}")
    return raw.rename(number="member") if "number" in raw.dims else raw


def _one_version(raw: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset without expver: final data where there are any, else preliminary ones."""
    notes: list[str] = []
    if "expver" in raw.dims:
        raw, notes = _merged(raw)
    elif "expver" in raw.coords:
        notes = _versions(np.char.lstrip(np.atleast_1d(raw["expver"].values).astype(str), "0"))
    return raw.drop_vars([name for name in _DROPPED if name in raw.variables and name not in raw.dims]), notes


def _versions(versions: np.ndarray) -> list[str]:
    preliminary = int((versions == "5").sum())
    return [f"expver: {preliminary} of {versions.size} times are preliminary (ERA5T)"] if preliminary else []


def _merged(raw: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the one version that has values at each time; DataError where several have."""
    held = [name for name in raw.data_vars if {"expver", "time"} <= set(raw[name].dims)]
    there: xr.DataArray | None = None
    for name in held:
        others = [dim for dim in raw[name].dims if dim not in ("expver", "time")]
        valid = raw[name].notnull().any(others)
        there = valid if there is None else there | valid
    if there is None:
        raise DataError("a dim expver without variables on it")
    there = there.transpose("time", "expver").compute()
    several = np.flatnonzero((there.values.sum(axis=1)) > 1)
    names = [str(version).lstrip("0") for version in raw["expver"].values]
    if several.size:
        raise DataError(
            f"expver: at {raw['time'].values[several[0]]} the versions {', '.join(names)} all hold values "
            f"({several.size} such times); select one, sel(expver=1) is the final one"
        )
    chosen = xr.DataArray(there.values.argmax(axis=1), dims="time")
    merged = raw.isel(expver=chosen)
    counts = ", ".join(f"{int((there.values[:, i]).sum())} of {name}" for i, name in enumerate(names))
    return merged, [f"expver: versions merged, times: {counts} (5 is preliminary, ERA5T)"]
