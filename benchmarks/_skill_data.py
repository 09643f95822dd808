"""Basins to train and to score on: CAMELS-US with its fixed split, or invented ones that show that a script runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from terrahydro_streamflow import KRATZERT_ATTRIBUTES, basin_data

from crest_core import CrestError

TARGET, LAGGED = "runoff_flux", "runoff_flux_lagged"
LAG = 1  # days
Period = tuple[str, str]


@dataclass(frozen=True)
class Split:
    """Periods [start, end). Nothing is chosen by what happens in `test`."""

    train: Period
    test: Period
    fit: Period
    """The part of `train` that models are trained on while settings are chosen."""
    validate: Period
    """The part of `train` that settings are chosen by."""


@dataclass(frozen=True)
class Basins:
    """Forcing, attributes and observed runoff (time, cell) in the units of the models."""

    data: xr.Dataset
    split: Split
    hashes: dict[str, str]
    """sha256 of the files, and of the names of the basins."""
    source: str

    @property
    def ids(self) -> list[str]:
        """Names of the basins."""
        return [str(one) for one in self.data["cell_id"].values]

    def of(self, ids: Sequence[str]) -> Basins:
        """Return some of the basins."""
        where = [self.ids.index(one) for one in ids]
        return replace(self, data=self.data.isel(cell=where))


# Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019: trained on the later years, tested on the earlier ones.
CAMELS = Split(
    train=("1999-10-01", "2008-10-01"),
    test=("1989-10-01", "1999-10-01"),
    fit=("1999-10-01", "2006-10-01"),
    validate=("2006-10-01", "2008-10-01"),
)
_FIRST = "1988-10-01"  # a year of spin-up before the test
_INVENTED = Split(
    train=("2003-01-01", "2005-01-01"),
    test=("2001-06-01", "2003-01-01"),
    fit=("2003-01-01", "2004-06-01"),
    validate=("2004-06-01", "2005-01-01"),
)


def camels(*, lag: int | None = None) -> Basins:
    """Return the basins of the 531 list of Kratzert et al. (2019) that are in the folder CREST_DATA_DIR/camels_us."""
    named = os.environ.get("CREST_DATA_DIR", "")
    folder = Path(named) / "camels_us"
    if not named or not folder.is_dir():
        raise CrestError(f"CREST_DATA_DIR is {named!r}, which holds no folder camels_us; name the folder of real data")
    files = [folder / name for name in ("camels_us_maurer_1980_2008.nc", "attributes.csv", "basins_531.txt")]
    data = basin_data(files[0], files[1], listed=files[2], lag=lag)
    data = data.sel(time=slice(_FIRST, None)).load().astype(np.float32, keep_attrs=True)
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return Basins(
        data,
        CAMELS,
        hashes | {"basins": _digest([str(one) for one in data["cell_id"].values])},
        "CAMELS-US, Maurer forcing",
    )


def invented(*, lag: int | None = None, basins: int = 6) -> Basins:
    """Return synthetic basins: random rain on a linear reservoir, whose rate follows one attribute."""
    generator = np.random.default_rng(11)
    times = xr.date_range("2000-06-01", "2004-12-31", freq="1D")
    shape = (len(times), basins)
    season = np.cos(2 * np.pi * (times.day_of_year.values - 200) / 365.25)[:, np.newaxis]
    rain = generator.exponential(12.0, shape) * (generator.random(shape) < 0.25)
    warm = 8.0 + 10.0 * season + generator.normal(0.0, 2.0, shape)
    rate = generator.uniform(0.05, 0.5, basins)
    storage, flow = np.zeros(basins), np.zeros(shape)
    for day in range(len(times)):
        storage = storage + 0.6 * rain[day]
        flow[day] = rate * storage
        storage = storage - flow[day]
    series = {
        "precipitation_flux": (rain, "kg m-2 day-1"),
        "shortwave_down": (170.0 + 100.0 * season + 0.0 * rain, "W m-2"),
        "air_temperature_max": (warm + 5.0, "degC"),
        "air_temperature_min": (warm - 5.0, "degC"),
        "vapour_pressure": (800.0 + 20.0 * warm, "Pa"),
        TARGET: (flow, "kg m-2 day-1"),
    }
    fields = {name: (("time", "cell"), values, {"units": units}) for name, (values, units) in series.items()}
    fields[TARGET][2]["standard_name"] = "runoff_flux"
    for name, units in KRATZERT_ATTRIBUTES.items():
        fields[name] = ("cell", generator.uniform(0.1, 1.0, basins), {"units": units})
    fields["slope_mean"] = ("cell", rate, {"units": KRATZERT_ATTRIBUTES["slope_mean"]})
    places = {
        "time": times,
        "cell_id": ("cell", [f"invented-{n}" for n in range(basins)]),
        "lat": ("cell", np.linspace(35.0, 45.0, basins), {"units": "degrees_north"}),
        "lon": ("cell", np.linspace(-110.0, -80.0, basins), {"units": "degrees_east"}),
    }
    data = xr.Dataset(fields, places).astype(np.float32, keep_attrs=True)
    if lag is not None:
        data[LAGGED] = data[TARGET].shift(time=lag).drop_attrs().assign_attrs(units="kg m-2 day-1")
    return Basins(data, _INVENTED, {"basins": _digest([str(basins)])}, "invented, to show that the script runs")


def folds(ids: Sequence[str], count: int) -> list[tuple[list[str], list[str]]]:
    """Return (trained on, tested) of each fold: basins in the order of their sha256, dealt out."""
    order = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())
    return [([one for one in ids if one not in set(order[n::count])], sorted(order[n::count])) for n in range(count)]


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
