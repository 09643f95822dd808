"""The demo on real data: its files are valid, one word swaps the soil, and the whole runs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from crest_run import build_graph, load_run, open_forcing

from crest_core import prepare, simulate

HERE = Path(__file__).resolve().parent.parent / "examples" / "schwingbach"
EXPERIMENTS = ["experiment.yaml", "experiment-2014.yaml", "experiment-lstm.yaml"]


@pytest.fixture(scope="module")
def steps():
    """Return the module experiment.py of the demo."""
    spec = importlib.util.spec_from_file_location("experiment", HERE / "experiment.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["experiment"] = module  # where pydantic looks up the types of its fields
    spec.loader.exec_module(module)
    yield module
    del sys.modules["experiment"]


@pytest.mark.parametrize("name", ["run.yaml", "run-uncoupled.yaml", "run-lstm.yaml"])
def test_run_files_of_the_demo_build(name):
    graph = build_graph(load_run(HERE / name))
    looped = [block.loop for block in graph.blocks]
    assert any(looped) == (name != "run-uncoupled.yaml")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_judges_a_year_after_its_training_and_reads_nothing_later(steps, name):
    experiment = steps.load_experiment(HERE / name)
    assert experiment.training.end <= experiment.test.start
    run, graph = steps.fresh_graph(experiment.coupled)
    data = steps.read_data(run, graph, experiment)
    assert data.time.values[-1] < np.datetime64(experiment.test.end)
    assert float(data[steps.MEAN_MOISTURE].std()) < 1e-9


def test_run_lstm_is_run_with_another_soil():
    bucket, lstm = (yaml.safe_load((HERE / name).read_text()) for name in ("run.yaml", "run-lstm.yaml"))
    bucket["graph"]["components"]["soil"]["use"] = "soil-lstm"
    assert lstm["graph"] == bucket["graph"] and lstm["seed"] == bucket["seed"]


def test_a_seed_changes_the_first_weights_of_networks_only(steps):
    run, graph = steps.fresh_graph(HERE / "run.yaml", 2)
    _, other = steps.fresh_graph(HERE / "run.yaml", 3)
    assert run.seed == 2
    first, second = graph.state_dict(), other.state_dict()
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed and all(".share." in name for name in changed)


@pytest.mark.parametrize("soil", ["soil-bucket", "soil-lstm"])
@pytest.mark.parametrize("surface", ["et-penman-monteith", "et-priestley-taylor"])
def test_one_word_swaps_a_component(soil, surface, tmp_path):
    text = (HERE / "run.yaml").read_text()
    swapped = text.replace("use: soil-bucket", f"use: {soil}")
    swapped = swapped.replace("use: et-penman-monteith", f"use: {surface}")
    (tmp_path / "run.yaml").write_text(swapped)
    run = load_run(tmp_path / "run.yaml")
    graph = build_graph(run)
    results = simulate(graph, open_forcing(run), start="2014-06-01", end="2014-06-11")
    moisture = results["soil_moisture"].values
    assert moisture.shape == (10, 3, 1)
    assert (moisture > 0.02).all() and (moisture < 0.6).all()


def test_soil_moisture_acts_on_evapotranspiration_of_the_next_day():
    run = load_run(HERE / "run.yaml")
    graph = build_graph(run)
    prepared = prepare(graph, open_forcing(run), start="2014-06-01", end="2014-06-11")
    (memory,) = [name for name in prepared.state if "root_zone" in name]
    dry = prepared.state | {memory: torch.full_like(prepared.state[memory], 0.1)}
    inputs, times = prepared.inputs(), prepared.clock.times
    first = graph(prepared.state, inputs, times)[0]["latent_heat"].detach()
    second = graph(dry, inputs, times)[0]["latent_heat"].detach()
    assert not torch.equal(first[0], second[0])


@pytest.mark.slow
def test_the_demo_takes_another_experiment_and_seed(tmp_path):
    command = [sys.executable, str(HERE / "demo.py"), str(HERE / "experiment-lstm.yaml")]
    command += ["--seed", "2", "--coupled-only", "--epochs", "1", "--output", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert set(json.loads((tmp_path / "scores.json").read_text())) == {
        "depth_m",
        "coupled, trained",
        "untrained",
        "climatology",
    }
    assert json.loads((tmp_path / "record.json").read_text())["run"]["seed"] == 2


@pytest.mark.slow
def test_the_demo_runs_and_leaves_its_results(tmp_path):
    command = [sys.executable, str(HERE / "demo.py"), "--epochs", "2", "--output", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert "How good is it?" in answer.stdout
    for name in ("series", "scores", "learning", "plan"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    with xr.open_dataset(tmp_path / "trained.nc") as results:
        assert results.sizes["time"] == 1096 and "time_bnds" in results
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert set(scores) == {
        "depth_m",
        "coupled, trained",
        "uncoupled, trained",
        "untrained",
        "climatology",
    }
    assert json.loads((tmp_path / "record.json").read_text())["run"]["seed"] == 1
