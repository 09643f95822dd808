"""ERA5 and ERA5-Land in the layouts of the old and the new Climate Data Store, written here as they are served."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

LAT, LON = [51.0, 50.75, 50.5], [359.5, 359.75, 0.0, 0.25]
SHAPE = (3, 4)
NAMES = {"t2m": "2 metre temperature", "tp": "Total precipitation", "ssrd": "Surface solar radiation downwards"}
UNITS = {"t2m": "K", "tp": "m", "ssrd": "J m**-2", "sd": "m of water equivalent", "e": "m of water equivalent",
         "pev": "m"}  # fmt: skip


def hours(start="2020-03-01T00:00", periods=48):
    return pd.date_range(start, periods=periods, freq="1h", unit="ns")


def truth(times, seed=3):
    """Return mean fluxes of the hour that ends at each time, and the temperature at it."""
    draw = np.random.default_rng(seed)
    sun = np.clip(np.sin((times.hour.to_numpy() - 6) / 12 * np.pi), 0, None) * 600.0
    return {
        "t2m": 280.0 + draw.normal(0, 3, (len(times), *SHAPE)),
        "tp": draw.gamma(0.1, 0.003, (len(times), *SHAPE)),  # m in the hour
        "ssrd": sun[:, None, None] * 3600.0 * np.ones(SHAPE),  # J m-2 in the hour
    }


def since_midnight(values, times):
    """Return sums since 00 UTC; the value at 00 is that of the whole day before."""
    total, running = np.empty_like(values), np.zeros(SHAPE)
    for i, time in enumerate(times):
        running = values[i] if time.hour == 1 else running + values[i]
        total[i] = running
    return total


def old(times, data, expver=None):
    """Return the layout of the Climate Data Store until 2024: time, short names, packed integers."""
    dims = ("time", "latitude", "longitude")
    held = {
        name: (dims, values.astype("f4"), {"units": UNITS[name], "long_name": NAMES.get(name, name)})
        for name, values in data.items()
    }
    raw = xr.Dataset(held, {"time": times, "latitude": np.float32(LAT), "longitude": np.float32(LON)})
    raw["latitude"].attrs = {"units": "degrees_north", "long_name": "latitude"}
    raw["longitude"].attrs = {"units": "degrees_east", "long_name": "longitude"}
    if expver is not None:
        final = xr.DataArray(np.arange(len(times)) < expver, dims="time")
        raw = xr.concat([raw.where(final), raw.where(~final)], dim=pd.Index([1, 5], name="expver"))
    return raw


def write_old(raw, path):
    packing = {}
    for name, values in raw.data_vars.items():
        low, high = float(values.min()), float(values.max())
        packing[name] = {
            "dtype": "int16", "scale_factor": (high - low) / 65530 or 1.0, "add_offset": (high + low) / 2,
            "_FillValue": np.int16(-32767), "missing_value": np.int16(-32767),
        }  # fmt: skip
    raw.to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT", encoding=packing | {"time": {"dtype": "i4"}})
    return path


def new(times, data, versions="0001", kind=None):
    """Return the layout since 2024: valid_time, number, expver along valid_time, stepType in the attributes."""
    dims = ("valid_time", "latitude", "longitude")
    held = {
        name: (
            dims,
            values.astype("f4"),
            {"units": UNITS[name], "GRIB_stepType": kind or _kind(name), "GRIB_shortName": name},
        )
        for name, values in data.items()
    }
    expver = np.broadcast_to(versions, len(times)).astype("<U4")
    coords = {"valid_time": times, "latitude": LAT, "longitude": LON, "number": 0, "expver": ("valid_time", expver)}
    return xr.Dataset(held, coords, {"GRIB_centre": "ecmf"})


def _kind(name):
    return "instant" if name in ("t2m", "sd") else "accum"


def write_new(raw, path):
    raw.to_netcdf(path, engine="h5netcdf", encoding={name: {"zlib": True} for name in raw.data_vars})
    return path


def on_grid(values):
    """Return values of the file (latitude descending, longitudes from 0) as they stand in the convention."""
    return values[:, ::-1, :]  # 359.5, 359.75, 0, 0.25 become -0.5, -0.25, 0, 0.25: the same order


@pytest.fixture
def era5():
    """Return the functions that make files of ERA5."""
    made = (hours, truth, since_midnight, old, new, write_old, write_new, on_grid)
    return SimpleNamespace(SHAPE=SHAPE, **{function.__name__: function for function in made})
