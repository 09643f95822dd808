"""Towers that do not exist: random weather, a bucket of water, and fluxes that the bucket limits, plus noise.

They show that the experiment runs. They say nothing of skill.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

DEPTH = 600.0  # mm of soil
LATENT = 2.45e6  # J kg-1
NOISE = 0.05  # 1, standard deviation of the error of observations over their value


def made_up(years: int, *, seed: int, towers: int = 3) -> xr.Dataset:
    """Return weather, soil moisture, evapotranspiration and net ecosystem exchange (time, cell)."""
    days = 365 * years
    draw = np.random.default_rng(seed)
    times = xr.date_range("2009-01-01", periods=days, freq="1D")
    turn = 2.0 * np.pi * (np.arange(days)[:, None] - 80) / 365.0
    warm = np.linspace(0.0, 6.0, towers)
    toa = 300.0 + 140.0 * np.sin(turn) + np.zeros(towers)
    cloud = np.clip(draw.beta(2.0, 4.0, (days, towers)), 0.0, 1.0)
    short = 0.75 * toa * (1.0 - 0.7 * cloud)
    celsius = 10.0 + warm + 10.0 * np.sin(turn - 0.3) + draw.normal(0.0, 2.0, (days, towers))
    rain = np.where(draw.random((days, towers)) < 0.5 * cloud, draw.exponential(9.0, (days, towers)), 0.0)
    saturated = 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))
    deficit = saturated * (0.5 - 0.4 * cloud)
    moisture, et = bucket(rain, np.clip(short, 0.0, None) / 28.4 * np.clip(0.35 + 0.02 * celsius, 0.1, 0.9))
    uptake = 9.0 * short / (short + 150.0) * np.clip(celsius / 20.0, 0.0, 1.0) * (moisture - 0.1) / 0.25
    nee = 1.2 * 1.8 ** (celsius / 10.0 - 1.0) * (0.5 + 1.5 * moisture) - uptake
    noisy = {name: one * draw.normal(1.0, NOISE, one.shape)
             for name, one in (("moisture", moisture), ("et", et), ("nee", nee))}  # fmt: skip
    fields = {
        "precipitation_flux": (rain, "kg m-2 day-1"),
        "air_temperature": (celsius, "degC"),
        "air_temperature_min": (celsius - 5.0, "degC"),
        "air_temperature_max": (celsius + 5.0, "degC"),
        "air_pressure": (np.full_like(rain, 97000.0), "Pa"),
        "vapour_pressure": (saturated - deficit, "Pa"),
        "vapour_pressure_deficit": (deficit, "Pa"),
        "wind_speed": (draw.gamma(4.0, 0.7, (days, towers)), "m s-1"),
        "shortwave_down": (short, "W m-2"),
        "shortwave_toa": (toa, "W m-2"),
        "root_zone_soil_moisture": (noisy["moisture"], "1"),
        "evapotranspiration": (noisy["et"] / 86400.0, "kg m-2 s-1"),
        "latent_heat": (noisy["et"] / 86400.0 * LATENT, "W m-2"),
        "net_ecosystem_exchange": (noisy["nee"], "g m-2 day-1"),
    }
    places = {"time": times, "cell_id": ("cell", [f"made-up-{number}" for number in range(towers)])}
    places |= {"lat": ("cell", np.linspace(36.0, 47.0, towers), {"units": "degrees_north"})}
    places |= {"lon": ("cell", np.linspace(-99.0, 8.0, towers), {"units": "degrees_east"})}
    return xr.Dataset(
        {name: (("time", "cell"), one.astype(np.float32), {"units": units}) for name, (one, units) in fields.items()},
        places,
    )


def bucket(rain: np.ndarray, demand: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return soil moisture [m3 m-3] and evapotranspiration [kg m-2 day-1] of a bucket that water limits."""
    stored = np.full(rain.shape[1], 0.2 * DEPTH)
    moisture, taken = np.empty_like(rain), np.empty_like(rain)
    for day in range(len(rain)):
        wetness = np.clip((stored / DEPTH - 0.1) / 0.2, 0.0, 1.0)
        taken[day] = demand[day] * wetness
        stored = np.minimum(stored + rain[day] - taken[day], 0.35 * DEPTH)
        moisture[day] = stored / DEPTH
    return moisture, taken
