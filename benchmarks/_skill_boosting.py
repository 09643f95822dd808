"""Gradient boosting, a baseline without memory of its own: trees on the weather of the last days, weeks and months.

One model for all basins, of forcing of the day, means of forcing over the days before, and attributes; squared errors
weighted as NSE*. Ke et al. (2017) is the kind of tree; scikit-learn's HistGradientBoostingRegressor is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from _skill_data import TARGET, Basins, Period
from numpy.typing import NDArray

MEANS = (3, 7, 30, 90, 365)  # days
ROWS = 300_000  # of training, drawn at random

Floats = NDArray[np.float32]


def boosted(
    basins: Basins, names: Sequence[str], training: Period, test: Period, *, seed: int, trees: int
) -> xr.Dataset:
    """Return the runoff of `test` that trees predict, which have seen `training`; `names` are the inputs."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]

    features = _features(basins.data, names)
    times = basins.data["time"].values
    observed = basins.data[TARGET].transpose("time", "cell").values
    known = (times >= np.datetime64(training[0])) & (times < np.datetime64(training[1]))
    whole = np.isfinite(observed) & np.isfinite(features).all(axis=-1) & known[:, np.newaxis]
    where = np.argwhere(whole)
    chosen = np.random.default_rng(seed).permutation(len(where))[:ROWS]
    day, cell = where[chosen].T
    spread = np.nanstd(observed[known], axis=0)
    model = HistGradientBoostingRegressor(max_iter=trees, learning_rate=0.1, max_leaf_nodes=63, random_state=seed)
    overall = float(np.nanstd(observed[known]))
    weight = 1.0 / (spread[cell] / overall + 0.1) ** 2
    model.fit(features[day, cell], observed[day, cell], sample_weight=weight)
    asked = (times >= np.datetime64(test[0])) & (times < np.datetime64(test[1]))
    part = features[asked]
    values = model.predict(part.reshape(-1, part.shape[-1])).reshape(part.shape[:2]).clip(min=0.0)
    return basins.data[[TARGET]].transpose("time", "cell").isel(time=asked).copy(data={TARGET: values})


def _features(data: xr.Dataset, names: Sequence[str]) -> Floats:
    """Return (time, cell, feature): the day, means over the days before and with it, and attributes."""
    columns: list[Floats] = []
    for name in names:
        if "time" not in data[name].dims:
            columns.append(np.broadcast_to(data[name].values, (data.sizes["time"], data.sizes["cell"])))
            continue
        values = data[name].transpose("time", "cell").values
        total = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0, dtype=np.float64)])
        columns.append(values)
        for days in MEANS:
            mean = np.full(values.shape, np.nan, dtype=np.float32)
            if len(values) >= days:
                mean[days - 1 :] = (total[days:] - total[:-days]) / days
            columns.append(mean)
    return np.stack(columns, axis=-1).astype(np.float32)
