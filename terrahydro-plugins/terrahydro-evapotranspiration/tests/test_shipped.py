"""The weights that come with the package, and the training file that made them."""

import os
from pathlib import Path

import numpy as np
import pytest
import terrahydro_evapotranspiration as package
import torch
import yaml
from crest_training import load_train_file, run_training
from terrahydro_evapotranspiration.example import weather

from crest_core import ComponentError, Sizes, registry, simulate

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real tower to read")
NAME, MEMBERS = "et-penman-monteith-ar1", (1, 2, 3)
FILE = Path(__file__).resolve().parent.parent / "train.yaml"
TOWER = "flux_towers/US-AR1_daily.csv"  # the workbook that train.yaml names holds the same, and is slow to read


@pytest.fixture(params=MEMBERS)
def member(request):
    return registry().load("components", NAME)(member=request.param).eval()


def test_they_close_the_energy_balance(member):
    given = {name: value.float() for name, value in weather(50, 4, generator=torch.Generator().manual_seed(1)).items()}
    with torch.no_grad():
        fluxes, _ = member(member.initial_state(Sizes({"cell": 4})), given, range(50))
    left = fluxes["net_radiation"] - fluxes["ground_heat"] - fluxes["latent_heat"] - fluxes["sensible_heat"]
    assert float(left.abs().max()) < 1e-3  # W m-2, in float32
    assert float(fluxes["latent_heat"].min()) >= 0.0


@pytest.mark.parametrize("number", MEMBERS)
def test_a_card_tells_licence_data_and_skill_beside_a_baseline(number):
    folder = Path(package.__file__).parent / "models" / f"{NAME}-{number}"
    card = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
    assert card["name"].startswith(NAME) and card["licence"] == "CC-BY-4.0" and "US-AR1" in card["training"]["data"]
    test = card["training"]["skill"]["test"]
    assert test["period"].split()[0] == card["training"]["period"][1]
    assert test["latent_heat_r2"] > test["climatology_r2"]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 100_000


def test_a_member_that_is_not_there_is_refused():
    for wrong in (4, True, 1.0):
        with pytest.raises(ComponentError, match=rf"et-penman-monteith-ar1: member {wrong}; expected one of \[1, 2, 3"):
            registry().load("components", NAME)(member=wrong)


def tower():
    read = registry().load("data_sources", "tower-weather")
    return read(Path(DATA) / TOWER, sites=Path(DATA) / "fluxnet2015/sites.csv")


@needs_data
def test_they_have_the_skill_of_their_cards_on_days_that_they_have_not_seen():
    data = tower().sel(time=slice("2011-03-01", "2012-12-31")).load()  # half a year of spin-up is enough
    observed = data["latent_heat"].sel(time=slice("2011-09-12", None)).values
    for number, told in zip(MEMBERS, (0.627, 0.594, 0.547), strict=True):
        run = simulate(registry().load("components", NAME)(member=number), data, progress=False)
        simulated = run["latent_heat"].sel(time=slice("2011-09-12", None)).values
        error = np.nanmean((simulated - observed) ** 2) / np.nanvar(observed)
        assert 1.0 - error == pytest.approx(told, abs=0.02)


def test_the_training_file_ends_where_the_test_begins_and_asks_for_the_members():
    file = load_train_file(FILE)
    assert file.training.dates == ("2009-05-01", "2011-09-12") and file.seeds == (1, 2, 3)


@needs_data
def test_the_training_file_trains_and_leaves_a_model_folder(tmp_path):
    changes = {
        "forcing.with.path": str(Path(DATA) / TOWER),
        "forcing.with.reader": "flux-towers",
        "forcing.with.sites": str(Path(DATA) / "fluxnet2015/sites.csv"),
        "training.end": "2010-06-01",
        "samples.every": 60,
        "graph.components.et.with.memory": 4,
        "epochs": 2,
        "seeds": [1],
        "folder": str(tmp_path),
    }
    (trained,) = run_training(load_train_file(FILE, changes), progress=False)
    assert (trained.folder / "et" / "model.yaml").is_file()
    assert trained.record.training[-1] < trained.record.training[0]
