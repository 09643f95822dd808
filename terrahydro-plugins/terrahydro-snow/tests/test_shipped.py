"""The weights that come with the package."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from terrahydro_snow.example import bare_ground

from crest_core import registry, simulate

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real basins to read")
NAME = "snow-lstm-camels"
LIST = Path(__file__).parent.parent / "snowy_basins.txt"


def test_they_are_a_component_that_keeps_snow_in_the_cold_and_loses_it_in_the_warmth():
    model = registry().load("components", NAME)().eval()
    days = torch.arange(120) < 60
    weather = {
        "precipitation_flux": torch.where(days, 5.0, 0.0),
        "air_temperature_max": torch.where(days, -8.0, 18.0),
        "air_temperature_min": torch.where(days, -16.0, 8.0),
        "shortwave_down": torch.where(days, 80.0, 220.0),
    }
    place = {"elev_mean": 2000.0, "slope_mean": 60.0, "frac_forest": 0.5, "lai_max": 2.0, "p_mean": 2.5,
             "frac_snow": 0.5, "aridity": 1.0}  # fmt: skip
    inputs = {name: values.unsqueeze(1) for name, values in weather.items()}
    inputs |= {name: torch.tensor([value]) for name, value in place.items()}
    with torch.no_grad():
        snow = model(bare_ground(model, 1, dtype=torch.float32), inputs, range(120))[0]["surface_snow_amount"][:, 0]
    assert 100.0 < float(snow[59]) < 600.0  # 300 fell
    assert float(snow[-1]) < 0.1 * float(snow[59])


@needs_data
def test_they_simulate_snow_of_years_that_they_have_not_seen():
    folder = Path(DATA) / "camels_us"
    read = registry().load("data_sources", "camels-us-netcdf")
    data = read(folder / "camels_us_maurer_1980_2008.nc", listed=LIST, srad="24h", attributes=folder / "attributes.csv")
    assert data.sizes["cell"] == 242
    few = data.isel(cell=slice(0, None, 25)).sel(time=slice("2003-09-01", "2006-08-31")).load()
    run = simulate(registry().load("components", NAME)(), few, progress=False)
    simulated, observed = run["surface_snow_amount"].values, few["snow_water_equivalent"].values
    error = ((simulated - observed) ** 2).mean(axis=0) / observed.var(axis=0)
    assert np.median(1.0 - error) > 0.7
