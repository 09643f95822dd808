"""Small made-up data sets in the convention, whose values tell where and when they are: for tests and pages."""

from __future__ import annotations

import numpy as np
import xarray as xr


def days(count: int, start: str = "2001-01-01") -> np.ndarray:
    """Return the starts of `count` days."""
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(1, "D")


def example_gauges(count: int = 6, steps: int = 100, seed: int = 1) -> xr.Dataset:
    """Return discharge 1000 place + time at scattered gauges, with slope and land cover."""
    random = np.random.default_rng(seed)
    discharge = 1000.0 * np.arange(count)[None, :] + np.arange(steps)[:, None]
    return xr.Dataset(
        {
            "discharge": (("time", "cell"), discharge, {"units": "mm day-1"}),
            "slope": ("cell", random.uniform(0, 10, count), {"units": "%"}),
            "land_cover": ("cell", (np.arange(count) % 3).astype(float), {"units": "1"}),
        },
        {
            "time": days(steps),
            "cell_id": ("cell", [f"g{i}" for i in range(count)]),
            "lat": ("cell", random.uniform(46.0, 49.0, count)),
            "lon": ("cell", random.uniform(6.0, 9.0, count)),
        },
    )


def example_weather(steps: int = 100, rows: int = 16, columns: int = 20, layers: int = 2) -> xr.Dataset:
    """Return rain 100 row + column + time / 1000 on a grid of 0.25 degrees, soil temperature and elevation."""
    row, column, time = np.arange(rows)[:, None], np.arange(columns), np.arange(steps)[:, None, None]
    rain = 100.0 * row + column + time / 1000.0
    layer = np.arange(layers)[:, None, None]
    soil = layer * 1e4 + rain[:, None]
    return xr.Dataset(
        {
            "rain": (("time", "y", "x"), rain, {"units": "mm day-1"}),
            "soil_temperature": (("time", "soil_layer", "y", "x"), soil, {"units": "K"}),
            "elevation": (("y", "x"), 100.0 * row + column, {"units": "m"}),
        },
        {
            "time": days(steps),
            "lat": ("y", 45.125 + 0.25 * np.arange(rows)),
            "lon": ("x", 5.125 + 0.25 * np.arange(columns)),
        },
    )
