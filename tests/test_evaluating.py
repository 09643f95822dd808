"""`crest evaluate FILE`: what a training file left is scored outside of training, and nothing is trained or written."""

import json

import packages
import pytest
import xarray as xr
import yaml
from crest_training import evaluate
from crest_training.observation import Observation
from crest_training.train_file import load_train_file
from crest_training.trained_models import scored_output, trained_models
from crest_training.workflow import data_of, run_training

from crest_core import CrestError, StateError, parameter_hash
from crest_core.cli import main as crest

EXAMPLE = packages.ROOT / "examples" / "training" / "fulda.yaml"
PERIOD = ("--from", "1988-01-01", "--to", "1988-07-01")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The example with two seeds, hardly trained."""
    path = tmp_path_factory.mktemp("evaluating") / "train.yaml"
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in (
        ("epochs: 20", "epochs: 1"), ("every: 12", "every: 60"), ("hidden: 16", "hidden: 4"),
        ("seeds: [1]", "seeds: [1, 2]"), ("../../output/training/fulda", "trained"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    run_training(load_train_file(path), progress=False)
    return path


def printed(capsys, *words) -> str:
    """Return what `crest evaluate` prints, an error too."""
    try:
        crest(["evaluate", *map(str, words)])
    except SystemExit:
        pass
    found = capsys.readouterr()
    return " ".join((found.out + found.err).split())


def test_the_models_of_all_seeds_are_scored_as_their_mean(file, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")}
    told = printed(capsys, file, *PERIOD, "--metric", "nse", "--report", tmp_path / "report")
    assert "climatology" in told and "wrote" in told
    assert {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")} == before
    content = load_train_file(file)
    models = trained_models(content)
    spec, variable = scored_output(content, models[0])
    inputs, known = data_of(content, models[0], spec, variable)
    same = evaluate(models, inputs, Observation(spec.name, known), start="1988-01-01", end="1988-07-01",
                    spin_up="180D", training=content.training.dates, metrics=("nse",))  # fmt: skip
    rows = json.loads((tmp_path / "report" / "summary.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["median"] == pytest.approx(float(same["nse"].sel(source="model").median()))
    assert "ensemble of 2 members" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert isinstance(same, xr.Dataset) and len(trained_models(content, [2])) == 1


def test_periods_that_were_used_are_told(file, capsys):
    assert "overlaps the evaluated one" in printed(capsys, file, "--from", "1985-01-01", "--to", "1985-07-01")
    assert "overlaps validation" in printed(capsys, file, "--from", "1987-01-01", "--to", "1988-07-01", "--seed", 1)
    assert "needs a period outside of training" in printed(capsys, file)
    assert "leave out --observed" in printed(capsys, file, *PERIOD, "--observed", "a.nc:b")


def test_what_was_not_trained_by_this_file_is_told(file, tmp_path):
    with pytest.raises(StateError, match="no complete training of seed 7; run crest train first"):
        trained_models(load_train_file(file), [7])
    with pytest.raises(StateError, match="other keys than .* has now: samples; train again"):
        trained_models(load_train_file(file, {"samples.steps": 90, "folder": str(file.parent / "trained")}))
    with pytest.raises(CrestError, match="no output 'runoff' to compare; give --output, one of discharge"):
        content = load_train_file(file)
        scored_output(content, trained_models(content)[0], "runoff")


def test_damaged_models_are_not_scored(file, tmp_path):
    folder = file.parent / "trained"
    for name, words in (("model/weights.safetensors", "does not hold the parameters"), ("training.json", "no record")):
        path = folder / "seed-2" / name
        whole = path.read_bytes()
        try:
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(StateError, match=words):
                trained_models(load_train_file(file), [2])
        finally:
            path.write_bytes(whole)
    other = (folder / "seed-1" / "model" / "weights.safetensors").read_bytes()
    path = folder / "seed-2" / "model" / "weights.safetensors"
    whole = path.read_bytes()
    try:
        path.write_bytes(other)
        with pytest.raises(StateError, match="holds other parameters than the record tells"):
            trained_models(load_train_file(file), [2])
    finally:
        path.write_bytes(whole)


@pytest.mark.slow
def test_a_coupled_graph_comes_back_with_the_parameters_of_all_its_components(tmp_path, capsys):
    run = yaml.safe_load((packages.ROOT / "examples" / "schwingbach" / "run.yaml").read_text(encoding="utf-8"))
    run["graph"]["components"]["soil"]["use"] = "soil-lstm"
    keys = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    del keys["network"], keys["patience"], keys["validation"]
    keys |= {"graph": run["graph"], "forcing": run["forcing"], "epochs": 1, "folder": "trained"}
    keys |= {"samples": {"steps": 5, "spin_up": 5, "every": 100, "batch": 4}}
    keys |= {"training": {"start": "2014-02-01", "end": "2015-01-01"}}
    keys["objectives"] = [{"output": "soil_moisture", "loss": "mse"}]
    path = tmp_path / "graph.yaml"
    path.write_text(json.dumps(keys, default=str), encoding="utf-8")
    (trained,) = run_training(load_train_file(path), progress=False)
    (model,) = trained_models(load_train_file(path))
    assert parameter_hash(model) == parameter_hash(trained.model)
    told = printed(capsys, path, "--from", "2015-02-01", "--to", "2015-03-01", "--metric", "rmse")
    assert "persistence" in told
