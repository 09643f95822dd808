"""What the evapotranspiration script scores: splits of tower days, models, and baselines without physics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from _skill_towers import WITH_ET, of, towers
from torch import Tensor

from crest_core import Component, Sizes, Tensors, registry

DRIVERS = ("air_temperature", "vapour_pressure", "vapour_pressure_deficit", "wind_speed", "shortwave_down",
           "shortwave_toa", "root_zone_soil_moisture", "precipitation_flux", "air_pressure")  # fmt: skip
MODELS = {"hybrid": "et-penman-monteith", "pure": "et-network"}
LEARNED = ("albedo", "aerodynamic_factor", "max_conductance")  # of the hybrid, by its network
MEMORY, HIDDEN, DROPOUT = 32, 16, 0.4
SPIN_UP, SCORED = 90, 365  # days of a window
TRAINED, VALIDATED = 0.7, 0.8  # share of a tower's days before the test, and of those before the validation
DECILE = 0.1
MEANS = (7, 30, 90)  # days, of what gradient boosting sees of the past
LATENT, SENSIBLE, NET = "latent_heat", "sensible_heat", "net_radiation"


@dataclass(frozen=True)
class Tower:
    """Drivers and fluxes (time,) of a tower; nan in the fluxes where they were not well observed."""

    name: str
    days: pd.DatetimeIndex
    drivers: Tensors
    latent: Tensor
    sensible: Tensor
    net: Tensor
    measured: bool = True
    """Soil moisture is."""

    def masked(self, keep: np.ndarray) -> Tower:
        """Return the tower with fluxes on some days only."""
        there = torch.as_tensor(keep)
        latent, sensible, net = (torch.where(there, one, torch.nan) for one in (self.latent, self.sensible, self.net))
        return replace(self, latent=latent, sensible=sensible, net=net)

    def fluxes(self) -> Tensors:
        """Return what is observed, by name."""
        return {LATENT: self.latent, SENSIBLE: self.sensible, NET: self.net}

    def observed(self) -> np.ndarray:
        """Return True on days with latent heat."""
        return np.isfinite(self.latent.numpy())


def read(folder: Path, ids: tuple[str, ...] = WITH_ET) -> list[Tower]:
    """Return the towers of a folder of real data."""
    data = towers(folder, ids)
    return [tower(of(data, one), one) for one in ids]


def tower(data: xr.Dataset, name: str) -> Tower:
    """Return a tower from a dataset of it; soil moisture is `relative`."""
    names = (*DRIVERS, LATENT, SENSIBLE, NET)
    values = {one: torch.tensor(data[one].values[:, 0], dtype=torch.float32) for one in names}
    latent, sensible, net = (values.pop(one) for one in (LATENT, SENSIBLE, NET))
    measured = bool(torch.isfinite(values["root_zone_soil_moisture"]).any())
    values["root_zone_soil_moisture"] = relative(values["root_zone_soil_moisture"])
    return Tower(name, pd.DatetimeIndex(data["time"].values), values, latent, sensible, net, measured)


def in_time(one: Tower, look: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return (training, scored) days: the last 30 percent of observed ones are the test, 20 of the rest validation."""
    observed = np.flatnonzero(one.observed())
    cut = observed[int(TRAINED * len(observed))]
    first = observed[int(TRAINED * VALIDATED * len(observed))] if look else cut
    day = np.arange(len(one.days))
    return day < first, (day >= first) & (day < (cut if look else len(day)))


def extreme(one: Tower, kind: str) -> np.ndarray:
    """Return the hottest or the driest tenth of the observed days, by air temperature or measured soil moisture."""
    values = one.drivers["air_temperature" if kind == "hot" else "root_zone_soil_moisture"].numpy()
    values = np.where(one.observed(), values, np.nan)
    if kind == "dry" and not one.measured:
        return np.zeros(len(values), dtype=bool)
    if kind == "hot":
        return values >= np.nanquantile(values, 1.0 - DECILE)
    return values <= np.nanquantile(values, DECILE)


def relative(moisture: Tensor) -> Tensor:
    """Return soil moisture within the range of its tower, 0 to 1 from its 2 to its 98 percent quantile, gaps filled.

    Gaps are interpolated in time; a tower without sensors has one half.
    """
    values = moisture.numpy()
    if np.isfinite(values).any():
        low, high = np.nanquantile(values, (0.02, 0.98))
        values = (values - low) / (high - low)
    whole = pd.Series(values).interpolate().bfill().fillna(0.5)
    return torch.tensor(whole.to_numpy(), dtype=torch.float32)


def build(kind: str, training: list[Tower], generator: torch.Generator) -> Component:
    """Return an untrained model, scaled by the observed days of the training towers."""
    free = {"learned": LEARNED} if kind == "hybrid" else {}
    model = registry().load("components", MODELS[kind])(
        altitude=None, memory=MEMORY, hidden=HIDDEN, dropout=DROPOUT, generator=generator, **free
    )
    values = {name: torch.cat([one.drivers[name][torch.as_tensor(one.observed())] for one in training])
              for name in DRIVERS}  # fmt: skip
    for name in (LATENT, SENSIBLE):
        known = torch.cat([one.latent if name == LATENT else one.sensible for one in training])
        values[name] = known[torch.isfinite(known)]
    mean = {name: float(one.mean()) for name, one in values.items()}
    model.standardise(mean, {name: max(float(one.std()), 1e-3) for name, one in values.items()})
    return model


def run(model: Component, drivers: Tensors) -> Tensors:
    """Return the outputs of a run over drivers (time, cell)."""
    moving = drivers["air_temperature"]
    state = model.initial_state(Sizes({"cell": moving.shape[-1]}, dtype=moving.dtype))
    return model(state, {spec.name: drivers[spec.name] for spec in model.inputs}, range(len(moving)))[0]


def simulated(model: Component, one: Tower) -> Tensors:
    """Return all outputs (time,) of one run over a tower."""
    model.eval()
    with torch.no_grad():
        outputs = run(model, {name: value.unsqueeze(1) for name, value in one.drivers.items()})
    return {name: value[:, 0] for name, value in outputs.items()}


def windows_loss(
    model: Component, training: list[Tower], batch: int, weights: Mapping[str, float], generator: torch.Generator
) -> Tensor:
    """Return the sum over fluxes of their weight times the mean of squared errors over the variance of the tower.

    The mean is over the scored days of random windows, the variance that of the flux on the days to train on.
    """
    length = SPIN_UP + SCORED
    windows, observed, spread = [], [], []
    for index in torch.randint(len(training), (batch,), generator=generator).tolist():
        one = training[index]
        scored = np.flatnonzero(one.observed())  # so that windows hold days that count
        last = max(int(scored[-1]) + 1 - length, 0)
        start = int(torch.randint(max(int(scored[0]) - SPIN_UP, 0), last + 1, (1,), generator=generator))
        rows = slice(start, start + length)
        windows.append({name: value[rows] for name, value in one.drivers.items()})
        observed.append({name: value[rows] for name, value in one.fluxes().items()})
        spread.append(
            {name: float(value[torch.isfinite(value)].std().nan_to_num(1.0)) for name, value in one.fluxes().items()}
        )
    outputs = run(model, {name: torch.stack([each[name] for each in windows], dim=1) for name in windows[0]})
    total = torch.zeros(())
    for name, weight in weights.items():
        seen = torch.stack([each[name] for each in observed], dim=1)[SPIN_UP:]
        there = torch.isfinite(seen)
        width = torch.tensor([each[name] for each in spread]).clamp(min=1.0)
        error = torch.where(there, outputs[name][SPIN_UP:] - seen.nan_to_num(), 0.0) / width
        total = total + weight * error.square().sum() / there.sum().clamp(min=1)
    return total


def r2(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Return 1 - sum (p - o)^2 / sum (o - mean o)^2, on days with observations."""
    seen = np.isfinite(observed)
    predicted, observed = predicted[seen], observed[seen]
    return float(1.0 - ((predicted - observed) ** 2).sum() / ((observed - observed.mean()) ** 2).sum())


def rmse(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Return the root of the mean squared difference on days with observations."""
    return float(np.sqrt(np.nanmean((predicted - observed) ** 2)))


def invented() -> list[Tower]:
    """Return made-up towers in the shape of the data, to see that the script runs."""
    draw = np.random.default_rng(5)
    found = []
    for number in range(2):
        days = pd.date_range("2001-01-01", periods=700)
        season = np.cos(2.0 * np.pi * (days.day_of_year.to_numpy() - 190) / 365.25)
        toa = 320.0 + 150.0 * season
        shade = draw.uniform(0.2, 0.75, len(days))
        values = {
            "air_temperature": 12.0 + 10.0 * season + draw.normal(0.0, 2.0, len(days)),
            "vapour_pressure": 900.0 + 400.0 * season,
            "vapour_pressure_deficit": (600.0 + 500.0 * season) * (0.5 + shade),
            "wind_speed": draw.uniform(1.0, 6.0, len(days)),
            "shortwave_down": toa * shade,
            "shortwave_toa": toa,
            "root_zone_soil_moisture": 0.25 - 0.1 * season + draw.normal(0.0, 0.02, len(days)),
            "precipitation_flux": draw.exponential(8.0, len(days)) * (draw.random(len(days)) < 0.3),
            "air_pressure": np.full(len(days), 95000.0),
            LATENT: 0.35 * toa * shade * (0.6 + 0.4 * season) + draw.normal(0.0, 5.0, len(days)),
            SENSIBLE: 0.25 * toa * shade,
            NET: 0.6 * toa * shade,
        }
        fields = {name: (("time", "cell"), value[:, np.newaxis]) for name, value in values.items()}
        found.append(tower(xr.Dataset(fields, {"time": days}), f"made-up-{number}"))
    return found


def climatology(training: list[Tower], scored: Tower) -> np.ndarray:
    """Return the mean latent heat of the training days by day of the year, smoothed over 31 days."""
    table = pd.concat([pd.Series(one.latent.numpy(), index=one.days.day_of_year) for one in training])
    mean = table.groupby(level=0).mean().reindex(range(1, 367))
    round_the_year = pd.concat([mean, mean, mean], ignore_index=True).interpolate(limit_direction="both")
    smooth = round_the_year.rolling(31, center=True, min_periods=1).mean().to_numpy()[366:732]
    return smooth[scored.days.day_of_year.to_numpy() - 1]


def boosted(training: list[Tower], scored: Tower, seed: int) -> np.ndarray:
    """Return latent heat by gradient-boosted trees on the same drivers, of the day and as means over days before."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]

    rows = [_features(one)[one.observed()] for one in training]
    known = np.concatenate([one.latent.numpy()[one.observed()] for one in training])
    model = HistGradientBoostingRegressor(max_iter=200, learning_rate=0.05, random_state=seed)
    return model.fit(np.concatenate(rows), known).predict(_features(scored))


def _features(one: Tower) -> np.ndarray:
    table = pd.DataFrame({name: value.numpy() for name, value in one.drivers.items()})
    means = [table.rolling(days, min_periods=1).mean() for days in MEANS]
    return pd.concat([table, *means], axis=1).to_numpy(dtype=np.float32)
