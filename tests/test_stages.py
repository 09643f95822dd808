"""Stages of a training file: streamflow learns from observed water of snow first, then snow and streamflow together."""

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import packages
import pytest
import torch
from crest_training import load_train_file, run_training
from crest_training.checkpoint import Checkpoint
from crest_training.datasets import Datasets
from crest_training.stages import stages_of
from crest_training.trained_models import trained_models
from crest_training.workflow import untrained

from crest_core import CrestError, Sizes, registry, simulate

FOLDER = packages.ROOT / "examples" / "basins"
ATTRIBUTES = {"elev_mean": "m", "frac_forest": "1"}
WATER = "liquid_water_flux"
STAGE = {
    "component": "streamflow",
    "inputs": {WATER: "observed_water"},
    "objectives": [{"output": "runoff_flux", "loss": "nse"}],
    "epochs": 3,
}


@pytest.fixture(scope="module")
def basins():
    """Made-up basins, and the water that their true snow let go as observed; the second lacks three days of it."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    from made_up_basins import made_up

    data = made_up(2, 2, seed=3, attributes=tuple(ATTRIBUTES))
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]
    truth = registry().load("components", "snow-degree-day")(
        bands=1, parameters={"degree_day_factor": 4.5, "snowfall_factor": 1.3, "melt_threshold": 0.5}
    )
    water = simulate(truth, data, outputs=[WATER], progress=False)[WATER]
    water = water.drop_vars([name for name in water.coords if name not in data.coords])
    water[300:303, 1] = np.nan
    return data.assign(observed_water=water.astype(np.float32))


@pytest.fixture
def load(basins, tmp_path):
    """Return a function that writes data and a training file with a stage, and loads it."""

    def write(streamflow, *, snow=None, stage=None, **changes):
        basins.to_netcdf(tmp_path / "basins.nc", engine="h5netcdf")
        keys = {
            "graph": {
                "components": {
                    "snow": {"use": "snow-degree-day", "with": {"bands": 1, **(snow or {})}},
                    "streamflow": streamflow,
                },
                "connections": [{"from": f"snow.{WATER}", "to": f"streamflow.{WATER}"}],
            },
            "forcing": {"path": "basins.nc"},
            "samples": {"steps": 30, "spin_up": 30, "every": 60, "batch": 4},
            "training": {"start": "2001-01-01", "end": "2002-07-01"},
            "objectives": [{"output": "runoff_flux", "loss": "nse"}],
            "stages": [STAGE | (stage or {})],
            "epochs": 1,
            "optimiser": {"physical_rate": 0.05, "network_rate": 0.01},
            "seeds": [1],
            "folder": "trained",
            "model": {"name": "m", "summary": "s", "licence": "MIT", "citation": "none", "data": "made up"},
        }
        (tmp_path / "train.yaml").write_text(json.dumps(keys | changes), encoding="utf-8")
        return load_train_file(tmp_path / "train.yaml")

    return write


HBV = {"use": "streamflow-hbv", "with": {"units": 1, "snow": "external", "attributes": {}}}
LSTM = {
    "use": "streamflow-lstm",
    "with": {"hidden": 4, "dropout": 0.0, "forcing": [WATER, "air_temperature_max"], "attributes": {}},
}


def losses(folder):
    with open(folder / "losses.csv", encoding="utf-8") as file:
        return [float(row["training_loss"]) for row in csv.DictReader(file)]


def test_streamflow_learns_alone_and_snow_is_left_as_it_was(load, tmp_path):
    (trained,) = run_training(load(HBV, frozen=["snow"]), progress=False)
    alone = losses(trained.folder / "stage-1-streamflow")
    assert len(alone) == 3 and alone[-1] < 0.9 * alone[0]
    fresh = untrained_of(load(HBV))
    for name, value in fresh.components["snow"].state_dict().items():
        assert torch.equal(value, trained.model.components["snow"].state_dict()[name])
    moved = trained.model.components["streamflow"].state_dict()
    assert any(
        not torch.equal(value, moved[name]) for name, value in fresh.components["streamflow"].state_dict().items()
    )


def untrained_of(file):
    """The graph of a file before training."""
    part = registry().load("parts", "run-part")(file.file, file.data, file.lines, seed=1)
    return part.graph()


def test_nothing_of_the_other_component_is_in_a_stage(load, tmp_path):
    """With quite another snow the losses of the stage are the same, bit for bit, and those after it are not."""
    found = []
    for factor in (2.0, 6.0):
        file = load(HBV, snow={"parameters": {"degree_day_factor": factor}}, folder=f"trained-{factor}")
        (trained,) = run_training(file, progress=False)
        found.append((losses(trained.folder / "stage-1-streamflow"), trained.record.training))
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


def test_the_fine_tuning_begins_where_the_stage_ended_and_changes_both(load, tmp_path):
    """With a rate near 0 nothing moves after the stage: the streamflow is that of the stage's checkpoint."""
    still = {"physical_rate": 1e-30, "network_rate": 1e-30}
    file = load(HBV, optimiser=still, stage={"optimiser": {"physical_rate": 0.05, "network_rate": 0.01}})
    (trained,) = run_training(file, progress=False)
    best = Checkpoint.load(trained.folder / "stage-1-streamflow").part("best")
    for name, value in trained.model.components["streamflow"].state_dict().items():
        torch.testing.assert_close(value, best[name], rtol=1e-6, atol=1e-6)
    (moved,) = run_training(load(HBV, folder="moved"), progress=False)
    fresh = untrained_of(load(HBV))
    for name in ("snow", "streamflow"):
        after = moved.model.components[name].state_dict()
        assert any(not torch.equal(value, after[key]) for key, value in fresh.components[name].state_dict().items())


def test_what_is_handed_over_is_scaled_by_its_observations_in_training_and_comes_back(load, basins, tmp_path):
    file = load(LSTM, stage={"epochs": 1})
    (trained,) = run_training(file, progress=False)
    streamflow = trained.model.components["streamflow"]
    inside = basins["observed_water"].sel(time=slice("2001-01-01", "2002-06-30"))
    mean, std = streamflow.scaling.moments(WATER)
    assert float(mean) == pytest.approx(float(inside.mean()), rel=1e-4)
    assert float(std) == pytest.approx(float(inside.std()), rel=1e-4)
    (again,) = trained_models(file)
    weather = {spec.name: torch.from_numpy(basins[spec.name].values[:50]) for spec in again.inputs}
    state = again.initial_state(Sizes({"cell": 2}))
    ours, theirs = (one.eval()(state, weather, range(50))[0]["runoff_flux"] for one in (trained.model, again))
    assert torch.equal(ours, theirs)
    statistics = json.loads((trained.folder / "training.json").read_text(encoding="utf-8"))["statistics"]
    fresh = untrained(file, 1, statistics["mean"], statistics["std"]).components["streamflow"]
    assert torch.equal(fresh.scaling.mean, streamflow.scaling.mean)


def test_windows_with_gaps_in_an_observed_input_are_left_out_unless_the_component_takes_them(load):
    def windows(gaps):
        file = load(HBV)
        graph = untrained_of(file)
        streamflow = graph.components["streamflow"]
        streamflow.inputs = tuple(replace(one, gaps=gaps and one.name == WATER) for one in streamflow.inputs)
        (one,) = stages_of(file, graph, Datasets(file.file, file.data, file.lines))
        return one.task.samples.samples.index[:, 0].bincount().tolist()

    left_out, kept = windows(gaps=False), windows(gaps=True)
    assert left_out[0] == kept[0] and kept[1] == kept[0]
    assert kept[1] - left_out[1] == 1  # windows of 60 days every 60 hold a day once


def test_a_training_that_was_stopped_after_its_stage_goes_on(load):
    """The stage is not trained again, and the losses are those of a straight run."""
    straight = run_training(load(HBV, folder="straight", epochs=2), progress=False)[0]
    file = load(HBV, epochs=2)
    saves, save = iter(range(3)), Checkpoint.save  # one an epoch: 3 of the stage, and 1 of the graph

    def interrupting(self, folder):
        save(self, folder)
        if next(saves, None) is None:
            raise InterruptedError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Checkpoint, "save", interrupting)
        run_training(file, progress=False)
    again = run_training(file, resume=True, progress=False)[0]
    assert again.record.batches == straight.record.batches
    assert losses(again.folder / "stage-1-streamflow") == losses(straight.folder / "stage-1-streamflow")


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"component": "river"}, "stages.0.component: there is no component river; the graph has snow, streamflow"),
        ({"inputs": {"melt": "x"}}, "stages.0: streamflow is handed no melt by another component; it is handed liqu"),
        ({"inputs": {WATER: "x"}}, "stages.0: observed input liquid_water_flux: no variable 'x'"),
        ({"objectives": [{"output": "swe"}]}, "stages.0.objectives.0.output: the model has no output swe; outputs"),
    ],
)
def test_faults_of_a_stage_are_told_by_its_key(load, stage, words):
    with pytest.raises(CrestError, match=words):
        run_training(load(HBV, stage=stage), progress=False)
