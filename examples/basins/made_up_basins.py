"""Basins that do not exist: random weather, and snow and discharge of the two models with other parameters, plus noise.

They show that the experiment runs and that coupled training finds back what made the data. They say nothing of skill.
"""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from basin_models import DISCHARGE, SNOW, coupled
from terrahydro_snow import DegreeDaySnow
from terrahydro_snow.example import weather
from terrahydro_streamflow import KRATZERT_ATTRIBUTES, StreamflowHBV

from crest_core import Sizes

_UNITS = {
    "precipitation_flux": "kg m-2 day-1",
    "air_temperature_max": "degC",
    "air_temperature_min": "degC",
    "shortwave_down": "W m-2",
}
NOISE = 0.03  # 1, standard deviation of the error of observations over their value


def made_up(basins: int, years: int, *, seed: int, attributes: tuple[str, ...] = ()) -> xr.Dataset:
    """Return forcing, attributes (all of Kratzert et al. (2019) if none is named), discharge and SWE (time, cell)."""
    times = xr.date_range("2000-10-01", periods=365 * years, freq="1D")
    drawn = torch.Generator().manual_seed(seed)
    colder = torch.linspace(-3.0, 1.0, basins, dtype=torch.float64)  # K, so that basins differ
    inputs = weather(len(times), basins, generator=drawn)
    inputs = {name: value + colder if name.startswith("air") else value for name, value in inputs.items()}
    truth = coupled(
        DegreeDaySnow(parameters={"degree_day_factor": 4.5, "snowfall_factor": 1.3, "melt_threshold": 0.5}),
        StreamflowHBV(units=1, snow="external", attributes={}, generator=torch.Generator().manual_seed(3)),
    ).double()
    with torch.no_grad():
        state = truth.initial_state(Sizes({"cell": basins}, dtype=torch.float64))
        answer, _ = truth(state, inputs, range(len(times)))
    found = {name: (("time", "cell"), value.numpy(), {"units": _UNITS[name]}) for name, value in inputs.items()}
    pressure = 611.0 * np.exp(
        17.27 * inputs["air_temperature_min"].numpy() / (inputs["air_temperature_min"].numpy() + 237.3)
    )
    found["vapour_pressure"] = (("time", "cell"), pressure, {"units": "Pa"})
    for name, units in ((DISCHARGE, "kg m-2 day-1"), (SNOW, "kg m-2")):
        noise = 1.0 + NOISE * torch.randn(answer[name].shape, generator=drawn, dtype=torch.float64)
        observed = (answer[name] * noise).clamp(min=0.0).numpy()
        found[name] = (("time", "cell"), observed, {"units": units, "standard_name": name})
    for name in attributes or tuple(KRATZERT_ATTRIBUTES):
        values = colder.numpy() if name == "elev_mean" else np.linspace(0.1, 1.0, basins)
        found[name] = ("cell", values, {"units": KRATZERT_ATTRIBUTES[name]})
    places = {"time": times, "cell_id": ("cell", [f"made-up-{number}" for number in range(basins)])}
    places |= {"lat": ("cell", np.linspace(44.0, 46.0, basins), {"units": "degrees_north"})}
    places |= {"lon": ("cell", np.linspace(-112.0, -110.0, basins), {"units": "degrees_east"})}
    return xr.Dataset(found, places).astype(np.float32, keep_attrs=True)
