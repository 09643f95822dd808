"""The training file of the package trains the light response with `crest train`, and is what made the weights."""

import os
from pathlib import Path

import pytest
from crest_training import load_train_file, run_training

from crest_core import registry

FILE = Path(__file__).resolve().parent.parent / "train.yaml"
DATA = Path(os.environ.get("CREST_DATA_DIR", ""))


def test_it_is_what_the_card_of_the_weights_tells():
    keys = registry().load("components", "nee-light-response-fluxnet").folder().keys
    file = load_train_file(FILE)
    assert file.training.dates == tuple(keys.training.period) and file.seeds == (keys.training.seed,)
    assert file.graph["components"]["carbon"]["with"] == keys.component.settings


def test_it_trains_and_leaves_a_model(tmp_path):
    if not (DATA / "fluxnet2015" / "fluxnet2015_daily.nc").is_file():
        pytest.skip("CREST_DATA_DIR names no folder with FLUXNET2015: no real towers to read")
    changes = {
        "forcing.with.path": str(DATA / "fluxnet2015" / "fluxnet2015_daily.nc"),
        "forcing.with.sites": str(DATA / "fluxnet2015" / "sites.csv"),
        "forcing.with.cover": str(DATA / "fluxnet_monthly" / "location_fluxnet.csv"),
        "forcing.with.ids": ["DE-Hai", "DE-Tha", "NL-Loo"],
        "graph.components.carbon.with.hidden": 8,
        "samples": {"steps": 120, "spin_up": 60, "every": 60, "batch": 12},
        "training": {"start": "2003-01-01", "end": "2005-01-01"},
        "epochs": 3,
        "folder": str(tmp_path),
    }
    (trained,) = run_training(load_train_file(FILE, changes), progress=False)
    assert (trained.folder / "carbon" / "weights.safetensors").is_file()
    assert trained.record.training[-1] < trained.record.training[0]
