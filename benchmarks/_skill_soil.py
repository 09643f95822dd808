"""What the two soil scripts share: scores of places, climatology, trees on past weather, and the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from _skill_snow import data_hash, line
from numpy.typing import NDArray
from torch import Tensor

DISTRIBUTIONS = ("crest-core", "crest-data", "terrahydro-soil-moisture", "torch", "numpy", "scikit-learn")
MEANS = (3, 7, 15, 30, 60)  # days of weather that trees see
FEWEST = 10  # observations of a place that is scored
WINDOW = 31  # days over which a climatology is smoothed

Array = NDArray[Any]


def scores(simulated: Array, observed: Array) -> dict[str, Array]:
    """Return rmse, bias, ubrmse, r and nse of each column (time, place); nan where fewer than FEWEST are observed."""
    seen = np.isfinite(observed) & np.isfinite(simulated)
    s, o = np.where(seen, simulated, np.nan), np.where(seen, observed, np.nan)
    few = seen.sum(0) < FEWEST
    s[:, few] = o[:, few] = 0.0
    ds, do, error = s - np.nanmean(s, 0), o - np.nanmean(o, 0), s - o
    bias, rmse = np.nanmean(error, 0), np.sqrt(np.nanmean(error**2, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nansum(ds * do, 0) / np.sqrt(np.nansum(ds**2, 0) * np.nansum(do**2, 0))
        nse = 1.0 - np.nansum(error**2, 0) / np.nansum(do**2, 0)
    found = {"rmse": rmse, "bias": bias, "ubrmse": np.sqrt(np.maximum(rmse**2 - bias**2, 0.0)), "r": r, "nse": nse}
    return {name: np.where(few, np.nan, value).astype(np.float64) for name, value in found.items()}


def medians(found: Mapping[str, Array]) -> dict[str, float]:
    """Return the median over the places of each score, of the bias that of its size; of those that some place has."""
    held = {name: one[np.isfinite(one)] for name, one in found.items()}
    return {name: float(np.median(np.abs(one) if name == "bias" else one)) for name, one in held.items() if len(one)}


def smoothed_days(observed: Array, day: Array) -> Array:
    """Return (366, place): the mean over years and the WINDOW days about each day of the year, `day` from 1 on."""
    seen = np.isfinite(observed)
    total, count = np.zeros((366, observed.shape[1])), np.zeros((366, observed.shape[1]))
    np.add.at(total, day - 1, np.where(seen, observed, 0.0))
    np.add.at(count, day - 1, seen)
    around = range(-(WINDOW // 2), WINDOW // 2 + 1)
    total, count = (sum(np.roll(one, shift, axis=0) for shift in around) for one in (total, count))
    overall = np.nanmean(observed, axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), overall)


def last_seen(observed: Array) -> Array:
    """Return the observation before each day, however old it is."""
    held, now = np.full(observed.shape, np.nan), np.full(observed.shape[1], np.nan)
    for index, row in enumerate(observed):
        held[index] = now
        now = np.where(np.isfinite(row), row, now)
    return held


def trees(moving: Mapping[str, Array], static: Mapping[str, Array], target: Array, *, seed: int, rounds: int) -> Array:
    """Return what gradient boosting of the day's weather, means before it and statics makes of `target` (time, place).

    Rows whose target is nan are not learned from. scikit-learn's HistGradientBoostingRegressor.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]

    shape, columns = target.shape, []
    for values in moving.values():
        total = np.concatenate([np.zeros((1, shape[1])), values.cumsum(axis=0, dtype=np.float64)])
        now = np.arange(1, shape[0] + 1)
        befores = [np.maximum(now - days, 0) for days in MEANS]
        columns += [values, *((total[now] - total[b]) / (now - b)[:, None] for b in befores)]
    columns += [np.broadcast_to(values, shape) for values in static.values()]
    table = np.stack(columns, axis=-1).astype(np.float32).reshape(-1, len(columns))
    known = np.isfinite(target.ravel())
    model = HistGradientBoostingRegressor(max_iter=rounds, learning_rate=0.05, max_leaf_nodes=31, random_state=seed)
    model.fit(table[known], target.ravel()[known])
    return np.asarray(model.predict(table)).reshape(shape)


def weighted_error(simulated: Tensor, observed: Tensor, spread: Tensor) -> Tensor:
    """Return the mean of ((s - o) / spread)^2 where o is there."""
    seen = torch.isfinite(observed)
    error = torch.where(seen, simulated - observed.nan_to_num(), 0.0) / spread
    return error.square().sum() / seen.sum().clamp(min=1)


def record(name: str, values: Sequence[float], unit: str, baselines: Mapping[str, float], **more: Any) -> str:
    """Return the JSON line of a model over its seeds, beside what needs no network."""
    value, (first, known) = float(np.mean(values)), next(iter(baselines.items()))
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    versions = {one: version(one) for one in DISTRIBUTIONS}
    return line(f"skill.{name}", value, unit, first, known, by_seed=list(values), spread=spread,
                baselines=dict(baselines), versions=versions, **more)  # fmt: skip


def hashed(moving: Mapping[str, Array], target: Array) -> str:
    """Return a sha256 of weather and soil moisture."""
    return data_hash({**moving, "soil_moisture": target})
