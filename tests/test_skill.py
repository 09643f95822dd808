"""The skill scripts keep their splits: nothing of the test part reaches a model, its scaling or its baseline."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import packages
import pytest
import torch

FOLDER = packages.ROOT / "benchmarks"


@pytest.fixture
def modules(monkeypatch) -> Iterator[dict[str, ModuleType]]:
    """The shared modules of the scripts; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before, threads = set(sys.modules), torch.get_num_threads()
    names = ("_skill_data", "_skill_training", "_skill_result", "_skill_boosting", "skill_streamflow_lagged")
    yield {name: importlib.import_module(name) for name in names}
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def lagged(modules):
    """A small LSTM that takes lagged runoff, and how it is trained."""
    asked = modules["_skill_result"].options("", ("lstm",), epochs=1, every=30, arguments=["--quick", "--threads", "1"])
    return modules["skill_streamflow_lagged"].recipe(asked)


def test_the_split_is_that_of_the_paper_and_its_parts_do_not_meet(modules):
    split = modules["_skill_data"].CAMELS
    assert split.train == ("1999-10-01", "2008-10-01") and split.test == ("1989-10-01", "1999-10-01")
    assert split.train[0] == split.fit[0] < split.fit[1] == split.validate[0] < split.validate[1] == split.train[1]


def test_each_basin_is_tested_once_by_a_model_that_has_not_seen_it(modules):
    ids = [f"{n:08d}" for n in range(45)]
    parts = modules["_skill_data"].folds(ids, 4)
    assert sorted(one for _, tested in parts for one in tested) == ids
    assert all(set(seen) | set(tested) == set(ids) and not set(seen) & set(tested) for seen, tested in parts)
    assert parts == modules["_skill_data"].folds(ids, 4)


def test_scored_days_and_lagged_runoff_of_training_lie_in_its_period(modules):
    recipe, basins = lagged(modules), modules["_skill_data"].invented(lag=1)
    model = recipe.build(torch.Generator().manual_seed(1))
    first, stop = basins.split.train
    for batch in modules["_skill_training"].loader_of(recipe, model, basins.data, basins.split.train, 1):
        scored = batch.times[-len(batch.targets["runoff_flux"]) :]
        dates = [one.isoformat()[:10] for one in scored.flat]
        assert min(dates) >= first and max(dates) < stop
        before = np.array([one.isoformat()[:10] <= first for one in batch.times.flat]).reshape(batch.times.shape)
        assert before.any() and bool(torch.isnan(batch.inputs["runoff_flux_lagged"][torch.from_numpy(before)]).all())


def test_the_scaling_knows_the_training_period_only(modules):
    basins = modules["_skill_data"].invented()
    data, (first, _) = basins.data, basins.split.train
    model = modules["skill_streamflow_lagged"].registry().load("components", "streamflow-lstm")(hidden=4)
    changed = data.copy(deep=True)
    for name in ("runoff_flux", "precipitation_flux"):
        changed[name] = changed[name].where(changed["time"] >= np.datetime64(first), 1e6)
    statistics = modules["_skill_training"].statistics
    assert statistics(model, data, basins.split.train) == statistics(model, changed, basins.split.train)


@pytest.mark.slow
def test_a_run_that_is_finished_is_not_trained_again_and_ends_in_a_record(modules, tmp_path, capsys):
    recipe, basins = lagged(modules), modules["_skill_data"].invented(lag=1)
    training = modules["_skill_training"]
    runs = [training.trained(recipe, basins, basins.split.train, seed=1, folder=tmp_path, progress=False) for _ in "ab"]
    assert runs[0][1].training == runs[1][1].training

    def scored(model):
        return training.compared([model], basins, basins.split.test, basins.split.train)

    values = [scored(model).simulated["model"].values for model, _ in runs]
    np.testing.assert_array_equal(*values)
    asked = modules["_skill_result"].options("", ("lstm",), epochs=1, every=30, arguments=["--quick", "--threads", "1"])
    modules["_skill_result"].finish(
        "streamflow-lagged", asked, basins, scored(runs[0][0]), period=basins.split.test, training=basins.split.train,
        anchors=(), least=0.8, settings={},
    )  # fmt: skip
    line = json.loads(capsys.readouterr().out)
    assert line["name"] == "skill.streamflow-lagged.lstm" and line["verdict"] == "undecided" and line["seeds"] == [1]
