"""What skill_nee.py reads, trains and scores: sites of FLUXNET2015, folds over sites, windows, baselines."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from crest_samples import TrainingSamples
from crest_training import Objective, Optimiser, Schedule, train
from crest_training.losses import Standardised
from sklearn.ensemble import HistGradientBoostingRegressor

from crest_core import Component, Sizes, registry

FOLDS = 5
NEE, GPP, RECO = "net_ecosystem_exchange", "gross_primary_productivity", "ecosystem_respiration"
TARGETS = (NEE, GPP, RECO)
WEATHER = ("air_temperature", "shortwave_down", "vapour_pressure_deficit", "shortwave_toa", "air_temperature_min",
           "air_temperature_max")  # fmt: skip
CLIMATE = {"temperature_mean": "degC", "temperature_spread": "degC", "shortwave_mean": "W m-2", "deficit_mean": "Pa",
           "latitude": "degree_north"}  # fmt: skip
COVER = {f"cover_{name}": "1" for name in ("enf", "dbf", "ebf", "mf", "gra", "cro", "wet", "shr", "sav")}
STATIC = CLIMATE | COVER
WARM_UP = 30  # days after a gap in the weather that are not scored
SHORTEST = 60  # days of weather without a gap that are run
MEANS = (7, 30, 90)  # days, of the weather that boosting sees


@dataclass(frozen=True)
class Plan:
    """How a model is built and trained; windows of `steps` days after `spin_up`."""

    kind: str
    hidden: int = 64
    direct: int = 32
    dropout: float = 0.3
    noise: float = 0.3
    epochs: int = 6
    every: int = 180
    batch: int = 64
    rate: float = 5e-3
    steps: int = 365
    spin_up: int = 180
    years: int = 4
    """Years of a site that are trained on, drawn at random: towers that ran for long would rule."""
    parts_weight: float = 0.5
    """Of photosynthesis and of respiration in the loss, beside 1 of net exchange."""


def read(folder: Path) -> xr.Dataset:
    """Return sites with at least a year of good days, in the units of the models."""
    make = registry().load("data_sources", "fluxnet-carbon")
    home = folder / "fluxnet2015"
    cover = folder / "fluxnet_monthly" / "location_fluxnet.csv"
    data: xr.Dataset = make(home / "fluxnet2015_daily.nc", home / "sites.csv", cover=cover).load()
    return data


def synthetic() -> xr.Dataset:
    """Return made-up sites in the shape of the data, to see that the script runs."""
    draw, days, sites = np.random.default_rng(3), pd.date_range("1999-01-01", "2002-12-31"), 10
    season = np.cos(2.0 * np.pi * (days.day_of_year.to_numpy() - 200) / 365.0)[:, None]
    base = {"air_temperature": 10.0, "air_temperature_min": 6.0, "air_temperature_max": 15.0}
    fields = {name: mean + 9.0 * season + draw.normal(0.0, 3.0, (len(days), sites)) for name, mean in base.items()}
    fields |= {"shortwave_toa": 300.0 + 150.0 * season + np.zeros((1, sites))}
    fields["shortwave_down"] = fields["shortwave_toa"] * draw.uniform(0.2, 0.7, (len(days), sites))
    fields["vapour_pressure_deficit"] = 500.0 + 300.0 * season + draw.uniform(0.0, 200.0, (len(days), sites))
    fields[GPP] = 0.03 * fields["shortwave_down"] * (fields["air_temperature"] > 4.0)
    fields[RECO] = 1.5 * np.exp(0.05 * fields["air_temperature"])
    fields[NEE] = fields[RECO] - fields[GPP]
    data = xr.Dataset({name: (("time", "cell"), values.astype(np.float32)) for name, values in fields.items()},
                      {"time": days, "cell_id": ("cell", [f"made-up-{i}" for i in range(sites)]),
                       "lat": ("cell", np.linspace(40.0, 50.0, sites)), "lon": ("cell", np.zeros(sites))})  # fmt: skip
    return data.assign({name: ("cell", np.linspace(1.0, 9.0, sites).astype(np.float32)) for name in STATIC})


def dealt(ids: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (training, validation, test) numbers of sites; the order is that of the sha256 of their names."""
    order = np.argsort([hashlib.sha256(str(one).encode()).hexdigest() for one in ids])
    test = order[fold::FOLDS]
    rest = np.array([i for i in order if i not in set(test)])
    validation = rest[::6]
    return np.setdiff1d(rest, validation), np.sort(validation), np.sort(test)


def trained(plan: Plan, data: xr.Dataset, seed: int, folder: Path) -> tuple[Component, float]:
    """Return a model trained on all sites given, and the seconds; goes on from the checkpoint in the folder."""

    def generator(what: str) -> torch.Generator:
        digest = hashlib.sha256(f"{what} {seed}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7]))

    model = registry().load("components", f"nee-{plan.kind}")(
        hidden=plan.hidden, direct=plan.direct, dropout=plan.dropout, drivers=WEATHER, attributes=STATIC,
        attribute_noise=plan.noise, generator=generator("weights"),
    )  # fmt: skip
    inputs = [spec.name for spec in model.inputs]
    data = thinned(data, plan.years, seed)
    mean = {name: float(data[name].mean()) for name in (*inputs, *TARGETS)}
    std = {name: float(data[name].std()) for name in (*inputs, *TARGETS)}
    model.standardise({name: mean[name] for name in inputs}, {name: std[name] for name in inputs})
    samples = TrainingSamples(
        data[inputs], data[list(TARGETS)], steps=plan.steps, spin_up=plan.spin_up, every=plan.every
    )
    goals = [Objective(name, transform=Standardised(mean[name], std[name]),
                       weight=1.0 if name == NEE else plan.parts_weight) for name in TARGETS]  # fmt: skip
    period = (str(data["time"].values[0])[:10], str(data["time"].values[-1])[:10])
    record = train(
        model, samples.loader(period, batch=plan.batch, generator=generator("samples")), goals, epochs=plan.epochs,
        optimiser=Optimiser(network_rate=plan.rate, physical_rate=1e-2, schedule=Schedule("one-cycle", rise=0.15)),
        seed=seed, segment=plan.steps, folder=folder, resume=True, checkpoint_every=50, progress=False,
    )  # fmt: skip
    return model.eval(), record.seconds


def thinned(data: xr.Dataset, most: int, seed: int) -> xr.Dataset:
    """Return the data with the targets of at most so many calendar years of each site, drawn at random."""
    year, draw = data["time"].dt.year.values, np.random.default_rng(seed)
    kept = np.zeros((data.sizes["time"], data.sizes["cell"]), dtype=bool)
    for cell in range(data.sizes["cell"]):
        known = np.unique(year[np.isfinite(data[NEE].values[:, cell])])
        kept[:, cell] = np.isin(year, draw.permutation(known)[:most])
    where = xr.DataArray(kept, dims=("time", "cell"))
    return data.assign({name: data[name].where(where).assign_attrs(data[name].attrs) for name in TARGETS})


def simulated(model: Component, data: xr.Dataset) -> np.ndarray:
    """Return net exchange (time, cell): each site is run through each stretch of its weather, from the start state."""
    inputs = [spec.name for spec in model.inputs]
    found = np.full((data.sizes["time"], data.sizes["cell"]), np.nan)
    moving = [name for name in inputs if "time" in data[name].dims]
    known = np.isfinite(np.stack([data[name].values for name in moving])).all(axis=0)
    for cell in range(data.sizes["cell"]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], known[:, cell].astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end - start < SHORTEST:
                continue
            given = {name: torch.tensor(data[name].values[start:end, cell : cell + 1] if name in moving
                                        else data[name].values[cell : cell + 1], dtype=torch.float32)
                     for name in inputs}  # fmt: skip
            with torch.no_grad():
                answer = model(model.initial_state(Sizes({"cell": 1})), given, range(end - start))[0][NEE]
            found[start + WARM_UP : end, cell] = answer.numpy()[WARM_UP:, 0]
    return found


def boosted(training: xr.Dataset, test: xr.Dataset, seed: int, most: int = 150_000) -> np.ndarray:
    """Return net exchange (time, cell) by gradient boosting on the weather of the day and its means of days before."""
    features, target = table(training), training[NEE].values.ravel()
    good = np.flatnonzero(np.isfinite(target) & np.isfinite(features).all(axis=1))
    chosen = np.random.default_rng(seed).permutation(good)[:most]
    fitted = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, l2_regularization=1.0, random_state=seed)
    fitted.fit(features[chosen], target[chosen])
    answers: np.ndarray = fitted.predict(table(test)).reshape(test.sizes["time"], test.sizes["cell"])
    return answers


def table(data: xr.Dataset) -> np.ndarray:
    """Return the features of boosting, a row a day and site."""
    columns = [data[name].values for name in WEATHER]
    for name in WEATHER[:3]:
        frame = pd.DataFrame(data[name].values)
        columns += [frame.rolling(days, min_periods=days).mean().to_numpy() for days in MEANS]
    shape = columns[0].shape
    columns += [np.broadcast_to(data[name].values, shape) for name in STATIC]
    return np.stack([column.ravel() for column in columns], axis=1)


def usual(training: xr.Dataset, test: xr.Dataset) -> np.ndarray:
    """Return the mean by day of the year over the five training sites that are nearest in climate and land cover."""
    spread = {name: float(training[name].std()) + 1e-6 for name in STATIC}
    here = np.stack([test[name].values / spread[name] for name in STATIC], axis=1)
    there = np.stack([training[name].values / spread[name] for name in STATIC], axis=1)
    nearest = np.argsort(((here[:, None] - there[None]) ** 2).sum(-1), axis=1)[:, :5]
    day = np.minimum(pd.DatetimeIndex(training["time"].values).day_of_year, 365)
    by_day = pd.DataFrame(training[NEE].values).groupby(np.asarray(day)).mean()
    smooth = pd.concat([by_day] * 3).rolling(31, center=True, min_periods=1).mean().iloc[365:730].to_numpy()
    answers: np.ndarray = np.nanmean(smooth[:, nearest], axis=-1)[np.asarray(day) - 1]
    return answers


def facts(plan: Plan) -> dict[str, Any]:
    """Return the settings for the record."""
    return asdict(plan)
