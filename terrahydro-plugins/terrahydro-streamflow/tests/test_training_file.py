"""The training file of the package trains each of the models with `crest train`."""

import os
from pathlib import Path

import pytest
from crest_training import load_train_file, run_training

FILE = Path(__file__).resolve().parent.parent / "train.yaml"
DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real basins to read")
NETWORK = {"hidden": 8, "dropout": 0.0}  # what so few steps tell should be no matter of dropout


def changes(folder):
    basins, listed = Path(DATA) / "camels_us", folder / "listed.txt"
    listed.write_text("00000000\n01022500\n", encoding="utf-8")
    return {
        "forcing.with.path": str(basins / "camels_us_maurer_1980_2008.nc"),
        "forcing.with.attributes": str(basins / "attributes.csv"),
        "forcing.with.listed": str(listed),
        "samples": {"steps": 90, "spin_up": 60, "every": 90, "batch": 12},
        "training.end": "2002-10-01",
        "epochs": 4,
        "optimiser.network_rate": 0.02,
        "folder": str(folder),
    }


def test_it_keeps_the_test_period_of_the_benchmark_out():
    file = load_train_file(FILE)
    assert file.training.dates == ("1999-10-01", "2008-10-01") and file.objectives[0].loss == "nse"


@needs_data
@pytest.mark.parametrize(
    ("model", "settings"),
    [("streamflow-lstm", NETWORK), ("streamflow-ea-lstm", NETWORK), ("streamflow-hbv", {"units": 1})],
)
def test_a_model_is_trained_and_leaves_its_weights(tmp_path, model, settings):
    component = {"use": model, "with": settings}
    more = {"graph.components.streamflow": component, "precision": "float32"}
    (trained,) = run_training(load_train_file(FILE, changes(tmp_path) | more), seeds=[1], progress=False)
    assert (trained.folder / "streamflow" / "weights.safetensors").is_file()
    assert trained.record.training[-1] < trained.record.training[0]


@needs_data
def test_lagged_discharge_is_an_option_of_the_file_and_its_gaps_are_trained_on(tmp_path):
    lagged = {"use": "streamflow-lstm", "with": NETWORK | {"lagged": True, "hold_out": 0.2}}
    more = {"graph.components.streamflow": lagged, "precision": "float32", "forcing.with.lag": 1}
    (trained,) = run_training(load_train_file(FILE, changes(tmp_path) | more), seeds=[1], progress=False)
    assert trained.record.training[-1] < trained.record.training[0]
