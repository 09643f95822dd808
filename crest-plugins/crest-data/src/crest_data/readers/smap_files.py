"""Files of SMAP level 3 and 4: what each name tells, groups opened lazily, and the time of a level 4 file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.choice import near
from crest_data.readers.ease_grid import file_axes

_LEVEL3 = re.compile(r"SMAP_L3_SM_P(_E)?_(\d{8})_R\d+_\d+\.h5")
_LEVEL4 = re.compile(r"SMAP_L4_SM_(gph|aup)_(\d{8}T\d{6})_V\w+_\d+\.h5")
_EPOCH = pd.Timestamp("2000-01-01T11:58:55.816")  # J2000, UTC
_LEAP_SECONDS = 10.0  # s; the seconds since J2000 run on over leap seconds, 5 until 2017
FILL = -9999.0


@dataclass(frozen=True)
class SmapFile:
    """A file, its product SPL3SMP, SPL3SMP_E, gph or aup, and the time in its name."""

    path: Path
    product: str
    time: pd.Timestamp


def smap_files(path: Path) -> list[SmapFile]:
    """Return the files of one product of a folder, or the one file, in the order of time."""
    found = sorted(path.rglob("*.h5")) if path.is_dir() else [path]
    files = [file for one in found if (file := _named(one))]
    if not files:
        raise DataError(
            f"{path}: no file of SMAP here; expected names such as SMAP_L3_SM_P_20150401_R18290_001.h5 or "
            f"SMAP_L4_SM_gph_20150401T013000_Vv7032_001.h5"
        )
    products = sorted({file.product for file in files})
    if len(products) > 1:
        raise DataError(f"{path}: files of {' and '.join(products)}; read each product from a folder of its own")
    files.sort(key=lambda file: file.time)
    for before, after in zip(files, files[1:], strict=False):
        if before.time == after.time:
            raise DataError(f"{before.path.name} and {after.path.name} are of one time; keep the newer version")
    return files


def opened_group(path: Path, group: str, needs: list[str], more: tuple[str, ...] = ()) -> xr.Dataset:
    """Return what is needed, and more if it is there, of a group of an HDF5 file, read lazily, fill values left in."""
    try:
        data = xr.open_dataset(
            path, group=group, engine="h5netcdf", phony_dims="sort", chunks={}, mask_and_scale=False, decode_times=False
        )
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: no group {group!r} that can be read ({error}); is the file cut off?") from error
    held = [str(name) for name in data.variables]
    if absent := [name for name in needs if name not in held]:
        raise DataError(f"{path}: {group} has no {absent[0]!r}; it holds {', '.join(held)}{near(absent[0], held)}")
    return data.drop_vars([name for name in held if name not in needs and name not in more])


def on_grid(data: xr.Dataset, latitude: np.ndarray, longitude: np.ndarray, path: Path) -> xr.Dataset:
    """Return data on y, x with the latitudes of rows and the longitudes of columns."""
    lat, lon = file_axes(_known(latitude), _known(longitude), path)
    for name, values in data.data_vars.items():
        if values.shape != (lat.size, lon.size):
            raise DataError(f"{path}: {name} has the shape {values.shape}, the grid {(lat.size, lon.size)}")
        data = data.assign({name: (("y", "x"), values.data, values.attrs)})
    return data.assign_coords(lat=("y", lat), lon=("x", lon))


def level4_time(path: Path, named: pd.Timestamp) -> float:
    """Return the seconds of `time` in a level 4 file beyond the time in its name: the leap seconds since 2000."""
    root = opened_group(path, "/", ["time"])["time"]
    values = np.atleast_1d(root.values).astype(np.float64)
    units = str(root.attrs.get("units", ""))
    if values.size != 1 or not units.startswith("seconds since 2000-01-01") or "11:58:55.816" not in units:
        raise DataError(
            f"{path}: time {values.tolist()} [{units}]; expected one, in seconds since 2000-01-01 11:58:55.816"
        )
    apart = float(values[0]) - (named - _EPOCH).total_seconds()
    if not -1.0 <= apart <= _LEAP_SECONDS:
        told = _EPOCH + pd.Timedelta(seconds=float(values[0]))
        raise DataError(f"{path}: time in the file is {told:%Y-%m-%dT%H:%M:%S}, in its name {named:%Y-%m-%dT%H:%M:%S}")
    return apart


def _named(path: Path) -> SmapFile | None:
    if match := _LEVEL3.fullmatch(path.name):
        return SmapFile(path, "SPL3SMP_E" if match[1] else "SPL3SMP", pd.Timestamp(match[2]))
    if match := _LEVEL4.fullmatch(path.name):
        return SmapFile(path, match[1], pd.Timestamp(match[2]))
    return None


def _known(values: np.ndarray) -> np.ndarray:
    return np.where(np.isclose(values, FILL), np.nan, values.astype(np.float64))
