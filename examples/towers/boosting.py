"""Gradient boosting of days, a baseline: trees that see the weather of the day and means of the days before it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from tower_models import ET, ET_OF_SOIL, TARGETS, WEATHER
from tower_sets import TowerSet

SPANS = (7, 30, 90, 365)  # days of the means


def boosted(towers: TowerSet) -> dict[str, xr.Dataset]:
    """Return soil moisture, ET [kg m-2 day-1] and NEE of the scored days, by tower.

    One regressor for each target and all towers, as for the other arms; Friedman (2001), doi:10.1214/aos/1013203451, in
    the form of scikit-learn's HistGradientBoostingRegressor with its default settings.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]

    features = {one: seen(towers.of(one)) for one in towers.ids}
    made = {one: xr.Dataset() for one in towers.ids}
    for target in TARGETS:
        observed = ET_OF_SOIL if target == ET else target
        known, values = [], []
        for one in towers.ids:
            here = towers.of(one)[observed].isel(cell=0)
            use = here.notnull().values & (here["time"].values < np.datetime64(towers.split[one]))
            known.append(features[one][use])
            values.append(here.values[use])
        trees = HistGradientBoostingRegressor(random_state=1).fit(np.concatenate(known), np.concatenate(values))
        for one in towers.ids:
            here = towers.of(one)[observed]
            made[one][target] = here.copy(data=trees.predict(features[one])[:, None].astype(np.float32))
    return {one: values.sel(time=slice(towers.split[one], None)) for one, values in made.items()}


def seen(data: xr.Dataset) -> np.ndarray:
    """Return (day, feature) of one tower: weather of the day, and means of SPANS days up to it."""
    weather = data[list(WEATHER)].isel(cell=0)
    means = [weather.rolling(time=span, min_periods=1).mean() for span in SPANS]
    return np.stack([one[name].values for one in (weather, *means) for name in WEATHER], axis=-1)
