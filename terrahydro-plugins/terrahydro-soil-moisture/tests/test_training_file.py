"""The training file of the package trains the soil LSTM with `crest train`, and keeps the years of its test out."""

import os
from pathlib import Path

import pytest
from crest_training import load_train_file, run_training

FILE = Path(__file__).resolve().parent.parent / "train.yaml"
DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real catchments to read")


def test_it_keeps_the_last_years_out():
    file = load_train_file(FILE)
    assert file.training.dates == ("1982-01-01", "2013-01-01") and file.validation.dates[1] == "2016-01-01"


@needs_data
def test_it_trains_and_leaves_a_model(tmp_path):
    changes = {
        "forcing.with": {"path": str(Path(DATA) / "caravan"), "ids": ["camelslx_054", "camelslx_055"]},
        "graph.components.soil.with.hidden": 8,
        "samples": {"steps": 90, "spin_up": 60, "every": 90, "batch": 12},
        "training": {"start": "2002-01-01", "end": "2005-01-01"},
        "validation": {"start": "2005-01-01", "end": "2006-01-01"},
        "epochs": 3,
        "optimiser.network_rate": 0.03,
        "folder": str(tmp_path),
    }
    (trained,) = run_training(load_train_file(FILE, changes), seeds=[1], progress=False)
    assert (trained.folder / "soil" / "weights.safetensors").is_file()
    assert trained.record.training[-1] < trained.record.training[0]
