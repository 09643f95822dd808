"""The weights that come with the package."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from terrahydro_soil_moisture import shipped, soil_data

from crest_core import Sizes, registry, simulate

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real catchments to read")
NAME = "soil-lstm-era5-land"
FOLDER = Path(shipped.__file__).parent / "models" / NAME


def after(days, **weather):
    """Return soil moisture (soil_layer,) after so many days of the same weather."""
    model = registry().load("components", NAME)().eval()
    usual = {"precipitation_flux": 2.5, "air_temperature": 10.0, "vapour_pressure": 1000.0, "wind_speed": 2.0}
    inputs = {name: torch.full((days, 1), value) for name, value in (usual | weather).items()}
    with torch.no_grad():
        state = model.initial_state(Sizes({**model.dim_sizes, "cell": 1}))
        return model(state, inputs, range(days))[0]["soil_moisture"][-1, :, 0]


def test_they_can_be_used_freely_and_are_small():
    card = yaml.safe_load((FOLDER / "model.yaml").read_text(encoding="utf-8"))
    assert card["licence"] == "CC-BY-4.0" and card["training"]["period"] == ["1982-01-01", "2013-01-01"]
    assert (FOLDER / "weights.safetensors").stat().st_size < 300_000


def test_rain_wets_and_a_warm_dry_summer_dries_all_layers():
    wet, usual, dry = (
        after(200, precipitation_flux=6.0, air_temperature=6.0, vapour_pressure=850.0),
        after(200),
        after(200, precipitation_flux=0.2, air_temperature=20.0, vapour_pressure=1300.0),
    )
    assert bool((wet[:3] > usual[:3]).all()) and bool((dry + 0.05 < usual).all())
    assert 0.1 < float(dry.min()) and float(wet.max()) < 0.5


@needs_data
def test_they_simulate_soil_of_years_that_they_have_not_seen():
    data = soil_data(Path(DATA) / "caravan").sel(time=slice("2017-01-01", "2019-12-31")).load()
    run = simulate(registry().load("components", NAME)(), data, progress=False)
    seen = slice("2018-01-01", "2019-12-31")
    simulated, observed = (
        one["soil_moisture"].sel(time=seen).transpose("time", "soil_layer", "cell").values for one in (run, data)
    )
    error = ((simulated - observed) ** 2).mean(axis=0) / observed.var(axis=0)
    assert np.median(1.0 - error) > 0.8
