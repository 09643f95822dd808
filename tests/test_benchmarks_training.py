"""The race of two trainings is fair, goes on where it was stopped, and says what it needs."""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import packages
import pytest
import stages

from crest_core import flushed_denormals

FOLDER = packages.ROOT / "benchmarks"
NEEDED = pytest.mark.skipif(
    find_spec("neuralhydrology") is None,
    reason="needs NeuralHydrology, which is not part of the environment: benchmarks/requirements-training.txt",
)


@pytest.fixture
def benchmarks(monkeypatch):
    """The modules of the folder, by name; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    with flushed_denormals():
        yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.fixture
def race(benchmarks):
    return benchmarks("_race")


def test_the_mean_of_what_was_observed_has_the_nse_0_and_the_observations_have_1(race):
    observed = np.random.default_rng(1).gamma(2.0, size=(50, 3))
    assert race.median_nse(observed, observed) == 1.0
    assert race.median_nse(np.broadcast_to(observed.mean(axis=0), observed.shape), observed) == pytest.approx(0.0)


def test_days_without_an_observation_do_not_count(race):
    observed = np.random.default_rng(2).gamma(2.0, size=(50, 3))
    simulated = observed + 0.1
    gap = observed.copy()
    gap[10:20] = np.nan
    expected = race.median_nse(np.delete(simulated, range(10, 20), 0), np.delete(observed, range(10, 20), 0))
    assert race.median_nse(simulated, gap) == pytest.approx(expected)


def test_simulated_runoff_below_0_counts_as_0(race):
    observed = np.array([[0.0], [1.0], [2.0]])
    assert race.median_nse(observed - [[5.0], [0.0], [0.0]], observed) == 1.0


def test_a_simulation_of_other_days_or_with_nan_is_refused(race):
    observed = np.ones((3, 2))
    with pytest.raises(SystemExit, match="finite numbers expected"):
        race.median_nse(np.ones((2, 2)), observed)
    with pytest.raises(SystemExit, match="finite numbers expected"):
        race.median_nse(np.full((3, 2), np.nan), observed)


def test_the_clock_stands_while_a_validation_runs(race):
    clock = race.Clock(spent=10.0)
    clock.start()
    clock.stop()
    stood = clock.seconds
    time.sleep(0.02)
    assert clock.seconds == stood >= 10.0


def test_a_curve_is_found_again_and_goes_back_to_an_update(race, tmp_path):
    path, settings = tmp_path / "curve.json", {"seeds": (1, 2)}
    curve = race.Curve.open(path, settings)
    for updates, nse in ((5, 0.1), (10, 0.4), (15, 0.3)):
        curve.add(race.Clock(updates / 2), updates, 1, nse)
    again = race.Curve.open(path, settings)
    assert again.points == curve.points and again.best()["updates"] == 10
    assert (again.reached(0.35), again.reached(0.5)) == (5.0, None)
    assert again.back_to(12).seconds == 5.0 and len(again.points) == 2


def test_a_curve_of_other_settings_is_refused(race, tmp_path):
    race.Curve(tmp_path / "curve.json", {"hidden": 64}).write()
    with pytest.raises(SystemExit, match="other settings; name another --folder"):
        race.Curve.open(tmp_path / "curve.json", {"hidden": 32})


def test_24_basins_are_chosen_by_the_sha256_of_their_names(benchmarks, monkeypatch):
    ours = benchmarks("_race_ours")
    many = benchmarks("_skill_data").invented(basins=30)
    monkeypatch.setattr(ours, "camels", lambda: many)
    chosen = ours.basins(quick=False).ids
    assert len(chosen) == 24 and chosen != many.ids[:24] and chosen == ours.basins(quick=False).ids


@pytest.mark.slow  # torch imports its compiler when the first optimiser is made
def test_a_race_that_was_stopped_goes_on_with_the_same_scores(benchmarks, tmp_path):
    ours = benchmarks("_race_ours")
    held, plan = ours.basins(quick=True), replace(ours.QUICK, epochs=3)
    whole, _ = ours.race(plan, held, 1, tmp_path / "whole", until=2.0, seconds=1e9)
    looks = len(whole.points) * 2 // 3
    scores = iter([ours.Validation.nse] * looks)
    with pytest.MonkeyPatch.context() as patched:  # stopped at the next look, in the middle of an epoch
        patched.setattr(ours.Validation, "nse", lambda one: next(scores)(one))
        with pytest.raises((StopIteration, RuntimeError)):
            ours.race(plan, held, 1, tmp_path / "parts", until=2.0, seconds=1e9)
    parts, _ = ours.race(plan, held, 1, tmp_path / "parts", until=2.0, seconds=1e9)
    keys = ("updates", "nse")
    assert [[one[key] for key in keys] for one in parts.points] == [[one[key] for key in keys] for one in whole.points]
    seconds = [one["seconds"] for one in parts.points]
    assert seconds == sorted(seconds) and len(seconds) == 18


def test_a_race_ends_at_the_first_look_that_reaches_the_goal(benchmarks, tmp_path):
    ours = benchmarks("_race_ours")
    held = ours.basins(quick=True)
    curve, _ = ours.race(ours.QUICK, held, 1, tmp_path, until=-1e9, seconds=1e9)
    assert len(curve.points) == 1
    assert ours.race(ours.QUICK, held, 1, tmp_path, until=-1e9, seconds=1e9)[0].points == curve.points


def test_what_the_other_side_scores_begins_with_the_validation(benchmarks, tmp_path):
    """Its tester scores the last day of each window that lies in the period and predict_last_n - 1 days before."""
    side = benchmarks("_neuralhydrology_side")
    period = ("2001-01-01", "2002-01-01")
    starts = {}
    for last in (1, 30):
        setup = side.Setup(["rain"], "flow", period, ("2002-01-01", "2003-01-01"), {"predict_last_n": last})
        config = setup.config(tmp_path, ["a"])
        starts[last] = config["validation_start_date"]
        assert (config["train_start_date"], config["train_end_date"]) == ("01/01/2001", "31/12/2001")
        assert config["validation_end_date"] == "31/12/2002"
    assert starts == {1: "01/01/2002", 30: "03/12/2001"}


def _lines(variables=None):
    command = [sys.executable, str(FOLDER / "training.py"), "--quick"]
    result = subprocess.run(command, env=stages.test_variables() | (variables or {}), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert [stages.benchmark_line_problem(line) for line in result.stdout.splitlines()].count("") > 0
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


@pytest.mark.slow
@pytest.mark.skipif(find_spec("neuralhydrology") is not None, reason="NeuralHydrology is installed here")
def test_without_the_other_side_the_script_compares_with_torch_and_says_what_to_install():
    records, told = _lines()
    assert [record["baseline"] for record in records] == ["bare torch loop"]
    assert "requirements-training.txt" in told


@pytest.mark.slow
@NEEDED
def test_with_the_other_side_all_comparisons_run():
    records, _ = _lines(os.environ.get("PYTHONPATH") and {"PYTHONPATH": os.environ["PYTHONPATH"]})
    names = [record["name"] for record in records]
    assert names == ["training.batches"] * 2 + ["training.race.default", "training.race.window"]
    assert {record["verdict"] for record in records} <= {"undecided", ""}
    assert all(record["baseline"].startswith("neuralhydrology 1.13") for record in records[1:])


@pytest.mark.slow
@NEEDED
def test_the_other_side_goes_on_where_it_was_stopped(benchmarks, tmp_path):
    ours, side, race = (benchmarks(name) for name in ("_race_ours", "_neuralhydrology_side", "_race"))
    held = ours.basins(quick=True)
    setup = ours.neuralhydrology(ours.QUICK, held, 1)
    lengths = []
    for seconds in (0.01, 0.01, 1.0):  # the second has nothing to do
        task = side.prepare(tmp_path, held.data, setup, threads=1, flush_denormals=False, piece=3)
        side.race(tmp_path, seconds)
        points = race.Curve.open(tmp_path / "curve.json", task).points
        lengths.append(len(points))
    assert lengths[0] == lengths[1] < lengths[2]
    updates, passed = ([one[key] for one in points] for key in ("updates", "seconds"))
    assert updates == sorted(set(updates)) and passed == sorted(passed)
    assert points[0]["nse"] < points[-1]["nse"]
