"""Training files: the example learns, goes on after an interruption, and leaves a model that runs elsewhere."""

import json
import sys

import packages
import pytest
import torch
import yaml
from crest_models import card, load_model
from crest_training.checkpoint import FILE, Checkpoint
from crest_training.train_file import load_train_file
from crest_training.tuning import tune
from crest_training.workflow import run_training
from safetensors.torch import load_file

from crest_core import CrestError, Sizes
from crest_core.cli import main as crest

EXAMPLE = packages.ROOT / "examples" / "training" / "fulda.yaml"
SHORT = {"epochs": 2, "samples.every": 40, "network.hidden": 4, "optimiser.schedule": {"name": "constant"}}


@pytest.fixture
def example(tmp_path):
    """Return a function that writes the example with changes of its keys, and loads it."""

    def load(**changes):
        path = tmp_path / "train.yaml"
        path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
        return load_train_file(path, {"folder": "trained", **SHORT, **changes})

    return load


def faults(tmp_path, text):
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrestError) as caught:
        run_training(load_train_file(path))
    return str(caught.value)


def test_the_example_learns_and_its_model_folder_answers(tmp_path):
    file = load_train_file(EXAMPLE, {"folder": str(tmp_path)})
    (trained,) = run_training(file, progress=False)
    best = min(trained.record.validation)
    assert best < 0.35  # 0.20 when written; the mean of the training period has about 1
    folder = tmp_path / "seed-1" / "model"
    text = card(folder)
    assert "validation_loss" in text and "1979-07-01 to 1986-01-01, seed 1" in text
    model = load_model(folder)
    inputs = {"precipitation_flux": torch.rand(30, 2), "air_temperature": torch.rand(30, 2)}
    state = model.initial_state(Sizes({"cell": 2}))
    ours, theirs = (one.eval()(state, inputs, range(30))[0]["discharge"] for one in (trained.model, model))
    assert torch.equal(ours, theirs)


def test_a_member_that_was_interrupted_goes_on_as_if_nothing_had_happened(example, tmp_path):
    straight = run_training(example(folder="straight", **{"checkpoint_every": 1}), progress=False)[0]
    file = example(folder="broken", **{"checkpoint_every": 1})
    steps = iter(range(5))

    class Interrupted(Exception):
        pass

    save = Checkpoint.save

    def interrupting(self, folder):
        save(self, folder)
        if next(steps, None) is None:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", interrupting)
        with pytest.raises(Interrupted):
            run_training(file, progress=False)
    with pytest.raises(CrestError, match="is of an earlier training; go on with resume=True, or --resume"):
        run_training(file, progress=False)
    again = run_training(file, resume=True, progress=False)[0]
    assert again.record.batches == straight.record.batches
    one, two = (Checkpoint.load(tmp_path / name / "seed-1") for name in ("straight", "broken"))
    assert all(torch.equal(value, two.part("best")[name]) for name, value in one.part("best").items())


def test_each_seed_has_a_folder_and_numbers_of_its_own(example, tmp_path):
    members = run_training(example(seeds=(1, 2)), progress=False)
    assert [one.folder.name for one in members] == ["seed-1", "seed-2"]
    assert members[0].record.batches != members[1].record.batches


def test_the_record_holds_statistics_of_the_training_period_alone(example, tmp_path):
    run_training(example(), progress=False)
    record = json.loads((tmp_path / "trained" / "seed-1" / "training.json").read_text())
    assert record["statistics"]["period"] == ["1979-07-01", "1986-01-01"]
    model = yaml.safe_load((tmp_path / "trained" / "seed-1" / "model" / "model.yaml").read_text())
    assert model["scaling"]["air_temperature"]["mean"] == pytest.approx(record["statistics"]["mean"]["air_temperature"])


def test_a_coupled_graph_with_a_frozen_component_is_trained_and_leaves_weights(tmp_path):
    """Soil and surface act on each other: a loop with a lagged connection, in samples with several soil layers."""
    run = yaml.safe_load((packages.ROOT / "examples" / "schwingbach" / "run.yaml").read_text(encoding="utf-8"))
    run["graph"]["components"]["soil"]["use"] = "soil-lstm"
    keys = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    del keys["network"]
    keys |= {"graph": run["graph"], "forcing": run["forcing"], "frozen": ["soil"], "epochs": 1, "validation": None}
    keys |= {"samples": {"steps": 5, "spin_up": 5, "every": 100, "batch": 4}, "folder": "trained", "patience": None}
    keys |= {"training": {"start": "2014-02-01", "end": "2015-01-01"}}
    keys["objectives"] = [{"output": "soil_moisture", "loss": "mse"}]
    path = tmp_path / "graph.yaml"
    path.write_text(json.dumps(keys, default=str), encoding="utf-8")
    (trained,) = run_training(load_train_file(path), progress=False)
    folder = tmp_path / "trained" / "seed-1"
    record = json.loads((folder / "training.json").read_text())
    assert record["models"]["surface"]["kind"] == "weights"
    state = trained.model.components["surface"].state_dict()
    assert all(
        torch.equal(value, state[name]) for name, value in load_file(folder / "surface" / "weights.safetensors").items()
    )


def test_faults_of_the_file_are_told_by_line_and_key(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8").replace("epochs: 20", "epoch: 20").replace("loss: nse", "loss: nsee")
    told = faults(tmp_path, text)
    assert "wrong.yaml:1" in told and "epoch: unknown key; allowed: " in told and "epochs: missing key" in told
    assert "objectives.0.loss: expected 'mse'" in told


def test_an_input_that_is_not_in_the_data_is_told(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        "{name: air_temperature, units: degC, standard_name: air_temperature}", "{name: wind, units: m s-1}"
    )
    told = faults(tmp_path, text.replace("../../output", str(tmp_path)))
    assert "samples: input wind [no standard name]: none has its name or standard name among" in told


def test_a_faulty_forcing_is_told_with_the_words_of_run_files(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8").replace("{source: catalogue, with: {entry: fulda}}", "{sauce: x}")
    assert "forcing.sauce: unknown key; allowed: source, with, path" in faults(tmp_path, text)


def test_the_command_overrules_keys_and_says_what_is_wrong_with_them(tmp_path, capsys):
    changes = [f"folder={tmp_path}", "epochs=1", "samples.every=60", "network.hidden=4"]
    with pytest.raises(SystemExit, match="0"):
        crest(["train", str(EXAMPLE), *(word for change in changes for word in ("--set", change))])
    assert f"{tmp_path / 'seed-1'}: validation loss " in capsys.readouterr().out
    assert (tmp_path / "seed-1" / FILE).exists()
    with pytest.raises(SystemExit, match="2"):
        crest(["train", str(EXAMPLE), "--set", "epochs"])
    assert "--set epochs: expected KEY=VALUE, as optimiser.network_rate=0.01" in capsys.readouterr().err


def test_tuning_goes_on_where_it_ended_and_names_the_best(tmp_path):
    path = tmp_path / "train.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("epochs: 20", "epochs: 1").replace("every: 12", "every: 60")
    path.write_text(text.replace("../../output/training/fulda", "trained"), encoding="utf-8")
    search = {"optimiser.network_rate": {"low": 1e-4, "high": 0.1, "log": True}, "network.hidden": {"choices": [2, 4]}}
    first = tune(path, search, trials=2, seed=1)
    second = tune(path, search, trials=3, seed=1)
    losses = [
        min(
            json.loads((tmp_path / "trained" / "tuning" / f"trial-{i}" / "seed-1" / "training.json").read_text())[
                "skill"
            ]["validation_loss"]
            for i in range(n)
        )
        for n in (2, 3)
    ]
    assert (first.trials, second.trials) == (2, 3)
    assert [first.loss, second.loss] == losses
    assert set(second.values) == set(search)
    with pytest.raises(CrestError, match="tuning holds another search: optimiser.network_rate=.*; go on with that"):
        tune(path, {"network.hidden": {"choices": [3, 5]}}, trials=4, seed=1)
    path.write_text(path.read_text(encoding="utf-8").replace("loss: nse", "loss: mae"), encoding="utf-8")
    with pytest.raises(CrestError, match="tuning was begun with other keys: objectives"):
        tune(path, search, trials=4, seed=1)


def test_ranges_that_make_no_sense_are_told(tmp_path):
    with pytest.raises(CrestError, match="search network.hidden: expected low below high, or choices"):
        tune(EXAMPLE, {"network.hidden": {"low": 4, "high": 2}}, trials=1, seed=1)
    with pytest.raises(CrestError, match="search: expected one key or more with its range"):
        tune(EXAMPLE, {}, trials=1, seed=1)
    with pytest.raises(CrestError, match="expected low above 0 with log"):
        tune(EXAMPLE, {"optimiser.network_rate": {"low": 0, "high": 0.1, "log": True}}, trials=1, seed=1)
    with pytest.raises(CrestError, match=r"search optimiser.network_rat, value 0.1: .*did you mean 'network_rate'"):
        tune(EXAMPLE, {"optimiser.network_rat": {"low": 0.1, "high": 0.2}}, trials=1, seed=1)
    with pytest.raises(CrestError, match="search samples.batch, value 0: "):
        tune(EXAMPLE, {"samples.batch": {"low": 0, "high": 4}}, trials=1, seed=1)
    with pytest.raises(CrestError, match="search seeds: tuning sets it itself"):
        tune(EXAMPLE, {"seeds": {"choices": [1, 2]}}, trials=1, seed=1)
    path = tmp_path / "blind.yaml"
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("validation")), encoding="utf-8")
    with pytest.raises(CrestError, match="tuning needs the key validation"):
        tune(path, {"network.hidden": {"choices": [2, 4]}}, trials=1, seed=1)


def test_tuning_without_its_library_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    path = tmp_path / "train.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("../../output", "."), encoding="utf-8")
    with pytest.raises(CrestError, match="tune: this needs optuna: pip install optuna"):
        tune(path, {"network.hidden": {"choices": [2, 4]}}, trials=1, seed=1)


def test_the_command_tunes(tmp_path, capsys):
    path = tmp_path / "train.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("epochs: 20", "epochs: 1").replace("every: 12", "every: 60")
    path.write_text(text.replace("../../output/training/fulda", "trained"), encoding="utf-8")
    with pytest.raises(SystemExit, match="0"):
        crest(["tune", str(path), "--search", "optimiser.network_rate=0.001:0.1:log", "--seed", "1", "--trials", "1"])
    assert f"next: crest train {path} --set optimiser.network_rate=0.0" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        crest(["tune", str(path), "--search", "network.hidden=7", "--seed", "1"])
    assert "--search network.hidden=7: expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C" in capsys.readouterr().err
