"""Towers to train and to score on: flux towers with soil moisture, ET and NEE, or made-up ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from crest_training import day_of_year_climatology
from made_up_towers import made_up
from tower_models import ET, ET_OF_SOIL, MOISTURE, NEE, OTHERS, TARGETS, WEATHER

from crest_core import conversion, registry

IDS = ("US-AR1", "US-Wkg", "CH-Lae")
DROUGHT = "US-AR1"
TRAINED = 0.7  # share of a tower's days, from the first on
VALIDATED = 0.2  # last share of these, that is scored and not trained on where settings are chosen
GOOD = 0.5  # least fraction of good half-hours of a day whose fluxes count
_UNITS = {"air_temperature_min": "degC", "air_temperature_max": "degC", NEE: "g m-2 day-1"}
_DAILY = "kg m-2 day-1"


@dataclass(frozen=True)
class TowerSet:
    """Weather and observations (time, cell), nan where a tower has none, and the days that part them.

    Of each tower [first, split) is trained on and [split, last] scored.
    """

    data: xr.Dataset
    split: dict[str, pd.Timestamp]
    source: str
    hashes: dict[str, str]

    @property
    def ids(self) -> list[str]:
        """Names of the towers."""
        return [str(one) for one in self.data["cell_id"].values]

    def of(self, tower: str) -> xr.Dataset:
        """Return one tower (time, cell of 1) over the days on which it has weather."""
        here = self.data.isel(cell=[self.ids.index(tower)])
        there = np.flatnonzero(np.isfinite(here["air_temperature"].values[:, 0]))
        return here.isel(time=slice(there[0], there[-1] + 1))

    def training(self) -> xr.Dataset:
        """Return all towers, nan from the split of each on."""
        splits = xr.DataArray([np.datetime64(self.split[one]) for one in self.ids], dims="cell")
        return self.data.where(self.data["time"] < splits).assign(
            {name: one for name, one in self.data.data_vars.items() if "time" not in one.dims}
        )


def flux_towers(folder: Path, *, phase: str) -> TowerSet:
    """Return the towers in the tables of `folder`, that of CREST_DATA_DIR.

    In the phase "test" the first 70 % of a tower's days are trained on, in "validate" the first 56 %, and the next 14 %
    scored; in "drought" US-AR1 is trained on until the end of 2010 only, so that nothing knows its drought of 2011.
    """
    tables, sites = folder / "flux_towers", folder / "fluxnet2015" / "sites.csv"
    load = registry().load
    data = load("data_sources", "tower-weather")(tables, sites=sites, ids=IDS, min_good_fraction=GOOD)
    more = load("data_sources", "flux-towers")(tables, sites=sites, ids=IDS, min_good_fraction=GOOD)
    for name, units in _UNITS.items():
        change = conversion(str(more[name].attrs["units"]), units)
        data[name] = change(more[name]).assign_attrs({**more[name].attrs, "units": units})
    data = whole(data[[*WEATHER, *OTHERS, *TARGETS, "latent_heat"]].load())
    hashes = {f"{one}_daily.csv": hashlib.sha256((tables / f"{one}_daily.csv").read_bytes()).hexdigest() for one in IDS}
    return parted(data, "flux towers, FLUXNET2015", hashes, phase=phase)


def invented(*, phase: str = "test") -> TowerSet:
    """Return two made-up towers, three years."""
    return parted(made_up(3, seed=5, towers=2), "made up", {}, phase=phase)


def parted(data: xr.Dataset, source: str, hashes: dict[str, str], *, phase: str) -> TowerSet:
    """Return the towers with the days that part training from scoring."""
    data = with_daily(data).astype(np.float32, keep_attrs=True).transpose("time", "cell", ...)
    everything = TowerSet(data, {}, source, hashes)
    split = {}
    for one in everything.ids:
        days = pd.DatetimeIndex(everything.of(one)["time"].values)
        if phase == "validate":
            days = days[: int(TRAINED * len(days))]
        share = 1.0 - VALIDATED if phase == "validate" else TRAINED
        split[one] = days[int(share * len(days))]
        if phase == "validate":  # the test part is not even there
            gone = (data["time"] > days[-1]) & (data["cell_id"] == one)
            data = data.where(~gone)
    if phase == "drought" and DROUGHT in split:
        split[DROUGHT] = pd.Timestamp("2011-01-01")
    return TowerSet(data, split, source, hashes)


def with_daily(data: xr.Dataset) -> xr.Dataset:
    """Return the dataset with evapotranspiration in the units of the soil, too."""
    change = conversion(str(data[ET].attrs["units"]), _DAILY)
    told = {**data[ET].attrs, "units": _DAILY}
    return data.assign({ET_OF_SOIL: change(data[ET]).assign_attrs(told)})


def whole(data: xr.Dataset) -> xr.Dataset:
    """Return the towers with weather that has no gaps within the record of each: interpolated in time, and no rain."""
    temperature = data["air_temperature"]
    inside = temperature.ffill("time").notnull() & temperature.bfill("time").notnull()
    for name in (*WEATHER, *OTHERS):
        filled = data[name].fillna(0.0) if name == "precipitation_flux" else data[name].interpolate_na("time")
        data[name] = filled.ffill("time").bfill("time").where(inside).assign_attrs(data[name].attrs)
    return data


def handed_over(towers: TowerSet, *, observed: bool) -> xr.Dataset:
    """Return inputs for the training part: weather, and what another component would give.

    That is soil moisture of the day before and evapotranspiration of the day, as observed, with gaps filled by the
    day-of-year climatology of the training part; or their mean over all towers, which says nothing.
    """
    data = towers.training()
    there = data["air_temperature"].notnull()
    inputs = data[[*WEATHER, *OTHERS]]
    for name in (MOISTURE, ET_OF_SOIL):
        if observed:
            usual = day_of_year_climatology(data[name], data["time"])
            given = data[name].fillna(usual)
            given = given.shift(time=1).fillna(usual) if name == MOISTURE else given
        else:
            given = xr.full_like(data[name], float(data[name].mean()))
        inputs[name] = given.where(there).astype(np.float32).assign_attrs(data[name].attrs)
    return inputs


def statistics(towers: TowerSet) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation of all variables over the training part of all towers."""
    data = towers.training()
    held = {str(name): one for name, one in data.data_vars.items() if "time" in one.dims}
    mean = {name: float(one.mean(dtype=np.float64)) for name, one in held.items()}
    return mean, {name: float(one.std(dtype=np.float64)) or 1.0 for name, one in held.items()}
