"""Basins to train and to score on: CAMELS-US where it snows, or made-up ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from basin_models import DISCHARGE, SNOW, WEATHER
from made_up_basins import made_up
from terrahydro_streamflow import basin_data

Period = tuple[str, str]
SNOWY = 50.0  # kg m-2, mean of the yearly largest SWE of the training years


@dataclass(frozen=True)
class BasinSet:
    """Forcing, attributes, discharge and SWE (time, cell), with the periods [start, end) of training and scoring."""

    data: xr.Dataset
    train: Period
    test: Period
    spin_up: int
    """Days before a period from which models run."""
    source: str
    hashes: dict[str, str]

    @property
    def ids(self) -> list[str]:
        """Names of the basins."""
        return [str(one) for one in self.data["cell_id"].values]


def camels(folder: Path, count: int, *, phase: str) -> BasinSet:
    """Return `count` basins of the list of Kratzert et al. (2019) where it snows, in the order of their sha256.

    Where it snows is judged by the years of training. In the phase "validate" the last two years of training are scored
    and not trained on; settings are chosen there, and never by the test.
    """
    files = [folder / name for name in ("camels_us_maurer_1980_2008.nc", "attributes.csv", "basins_531.txt")]
    whole = ("1999-10-01", "2008-10-01")
    train, test = (whole, ("1989-10-01", "1999-10-01"))
    if phase == "validate":
        train, test = ("1999-10-01", "2006-10-01"), ("2006-10-01", "2008-10-01")
    data = basin_data(files[0], files[1], listed=files[2], forcing=("precipitation_flux", *WEATHER, SNOW))
    data = data.sel(time=slice("1988-10-01", None)).load().astype(np.float32, keep_attrs=True)
    snowy = where_it_snows(data, train)
    ids = data["cell_id"].values
    order = sorted(snowy, key=lambda cell: hashlib.sha256(str(ids[cell]).encode()).hexdigest())
    data = data.isel(cell=sorted(order[:count]))
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return BasinSet(data, train, test, 365, "CAMELS-US, Maurer forcing, SWE of UAZ", hashes)


def invented(count: int) -> BasinSet:
    """Return made-up basins, six years."""
    data = made_up(count, 6, seed=5)
    return BasinSet(data, ("2003-10-01", "2006-09-01"), ("2001-10-01", "2003-10-01"), 365, "made up", {})


def where_it_snows(data: xr.Dataset, period: Period) -> list[int]:
    """Return the numbers of the basins whose yearly largest SWE in a period is at least SNOWY on average."""
    swe = within(data[SNOW], period)
    winter = (swe["time"].dt.year + (swe["time"].dt.month >= 10)).rename("winter")
    largest = swe.groupby(winter).max().mean("winter")
    return np.flatnonzero(largest.values >= SNOWY).tolist()


def within(data: xr.DataArray, period: Period) -> xr.DataArray:
    """Return the values of [start, end)."""
    times = data["time"].values
    return data.isel(time=(times >= np.datetime64(period[0])) & (times < np.datetime64(period[1])))


def statistics(data: xr.Dataset, period: Period) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation of all variables over the basins and a period."""
    held = {str(name): values if "time" not in values.dims else within(values, period)
            for name, values in data.data_vars.items() if values.dtype.kind == "f"}  # fmt: skip
    mean = {name: float(values.mean(dtype=np.float64)) for name, values in held.items()}
    return mean, {name: float(values.std(dtype=np.float64)) or 1.0 for name, values in held.items()}


def observed_spread(data: xr.Dataset, name: str, period: Period) -> np.ndarray:
    """Return the standard deviation over a period of what was observed, by basin."""
    return np.nan_to_num(within(data[name], period).std("time").values.astype(np.float64))


TARGETS = (DISCHARGE, SNOW)
