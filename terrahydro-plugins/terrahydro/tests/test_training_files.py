"""The training files of the twin's soil and streamflow: they train inside the twin, and keep the years that judge."""

import warnings
from pathlib import Path

import pytest
import torch
from crest_training import load_train_file, run_training

from crest_core import registry

FOLDER = Path(__file__).resolve().parent.parent
JUDGED = {"train-soil": "2016-01-01", "train-streamflow": "1986-07-01"}  # first days of the tests in examples/twin
SHORT = {"samples": {"steps": 30, "spin_up": 20, "every": 60, "batch": 6}, "epochs": 2}


@pytest.mark.parametrize("name", JUDGED)
def test_no_day_that_judges_is_trained_or_chosen_on(name):
    file = load_train_file(FOLDER / f"{name}.yaml")
    parts = [file.training, *([file.validation] if file.validation else [])]
    assert max(part.dates[1] for part in parts) <= JUDGED[name]


@pytest.mark.parametrize(("name", "part"), [("train-soil", "soil"), ("train-streamflow", "streamflow")])
def test_they_train_one_part_and_leave_the_others_as_they_are(name, part, tmp_path):
    period = {"train-soil": ("2015-01-01", "2016-01-01"), "train-streamflow": ("1981-01-01", "1982-01-01")}[name]
    changes = SHORT | {"training": dict(zip(("start", "end"), period, strict=True)), "folder": str(tmp_path)}
    if name == "train-streamflow":
        changes["validation"] = {"start": "1982-01-01", "end": "1982-07-01"}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*holds weights and no")  # of parts that are frozen
        (trained,) = run_training(load_train_file(FOLDER / f"{name}.yaml", changes), progress=False)
    assert (trained.folder / part / "weights.safetensors").is_file()
    assert trained.record.training[-1] < trained.record.training[0]
    snow = registry().load("components", "snow-lstm-camels")().state_dict()
    for key, value in trained.model.components["snow"].state_dict().items():
        assert torch.equal(value, snow[key]), key
