"""The training file of the package trains both models with `crest train`."""

import os
from pathlib import Path

import pytest
from crest_training import load_train_file, run_training

FILE = Path(__file__).resolve().parent.parent / "train.yaml"
DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real basins to read")


def test_its_periods_follow_each_other():
    file = load_train_file(FILE)
    assert file.training.dates == ("1982-09-01", "1999-09-01") and file.validation.dates == ("1999-09-01", "2003-09-01")


@needs_data
@pytest.mark.parametrize("model", ["snow-lstm", pytest.param("snow-degree-day", marks=pytest.mark.slow)])
def test_a_model_is_trained_and_leaves_a_model_folder(tmp_path, model):
    basins = Path(DATA) / "camels_us"
    (tmp_path / "two.txt").write_text("06614800\n12115000\n", encoding="utf-8")
    changes = {
        "graph.components.snow.use": model,
        "graph.components.snow.with.hidden": 8,
        "graph.components.snow.with.bands": 1,
        "forcing.with.path": str(basins / "camels_us_maurer_1980_2008.nc"),
        "forcing.with.attributes": str(basins / "attributes.csv"),
        "forcing.with.listed": str(tmp_path / "two.txt"),
        "training.end": "1990-09-01",
        "validation.end": "2001-09-01",
        "samples.batch": 8,
        "epochs": 4,
        "folder": str(tmp_path),
    }
    (trained,) = run_training(load_train_file(FILE, changes), progress=False)
    assert (trained.folder / "snow" / "model.yaml").is_file()
    assert trained.record.training[-1] < trained.record.training[0]
