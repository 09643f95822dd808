"""The weights that come with the package: they load, may be shipped, and know towers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from terrahydro_carbon import site_data

from crest_core import Sizes, registry

NAME = "nee-light-response-fluxnet"
NEE = "net_ecosystem_exchange"


def test_the_card_tells_licence_data_and_skill():
    model = registry().load("components", NAME)
    training = model.folder().keys.training
    assert model.folder().keys.licence == "CC-BY-4.0"
    assert "FLUXNET2015" in training.data and training.seed == 1
    known = training.skill["sites_left_out"]
    assert known["nee_r2"] > known["boosting_r2"] > known["mean_year_of_similar_sites_r2"]
    assert model.path.joinpath("weights.safetensors").stat().st_size < 300_000


def test_a_summer_noon_of_a_forest_takes_up_carbon_and_a_winter_does_not():
    model = registry().load("components", NAME)().eval()
    statics = {spec.name: torch.zeros(1) for spec in model.inputs if spec.static}
    statics |= {"temperature_mean": torch.tensor([9.0]), "temperature_spread": torch.tensor([6.5]),
                "shortwave_mean": torch.tensor([130.0]), "deficit_mean": torch.tensor([350.0]),
                "latitude": torch.tensor([50.0]), "cover_dbf": torch.ones(1)}  # fmt: skip
    season = torch.cos(2.0 * torch.pi * (torch.arange(730.0) - 200.0) / 365.0).unsqueeze(-1)
    weather = {
        "air_temperature": 9.0 + 9.0 * season, "air_temperature_min": 4.0 + 8.0 * season,
        "air_temperature_max": 14.0 + 10.0 * season, "shortwave_down": 130.0 + 110.0 * season,
        "shortwave_toa": 260.0 + 190.0 * season, "vapour_pressure_deficit": 400.0 + 350.0 * season,
        "root_zone_soil_moisture": torch.full((730, 1), 0.35),
    }  # fmt: skip
    with torch.no_grad():
        answer = model(model.initial_state(Sizes({"cell": 1})), {**weather, **statics}, range(730))[0][NEE][:, 0]
    summer, winter = answer[365 + 185 : 365 + 215].mean(), answer[365 : 365 + 30].mean()
    assert float(summer) < -2.0 and float(winter) > 0.0


def test_it_explains_half_of_what_its_own_towers_do():
    """Of sites that it was trained on: R2 of sites left out is in docs/models/carbon.md."""
    folder = Path(os.environ.get("CREST_DATA_DIR", "")) / "fluxnet2015"
    cover = folder.parent / "fluxnet_monthly" / "location_fluxnet.csv"
    if not (folder / "fluxnet2015_daily.nc").is_file():
        pytest.skip("CREST_DATA_DIR names no folder with FLUXNET2015: no real towers to read")
    sites = ["DE-Hai", "DE-Tha", "NL-Loo", "US-Wkg"]
    data = site_data(folder / "fluxnet2015_daily.nc", folder / "sites.csv", cover=cover, ids=sites, wet_soil=True)
    data = data.sel(time=slice("2005-01-01", "2009-12-31")).load()
    model = registry().load("components", NAME)().eval()
    inputs = {spec.name: torch.tensor(data[spec.name].values, dtype=torch.float32) for spec in model.inputs}
    assert all(bool(torch.isfinite(one).all()) for one in inputs.values())
    with torch.no_grad():
        state = model.initial_state(Sizes({"cell": len(sites)}))
        simulated = model(state, inputs, range(data.sizes["time"]))[0][NEE].numpy()[365:]
    observed = data[NEE].values[365:]
    seen = np.isfinite(observed)
    error = ((simulated - observed)[seen] ** 2).sum()
    assert 1.0 - error / ((observed[seen] - observed[seen].mean()) ** 2).sum() > 0.5
