"""The scripts of snow take up no results that other settings made, and no record gives way to one of fewer seeds."""

import importlib
import json
import sys

import packages
import pytest
import torch

FOLDER = packages.ROOT / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """The two scripts; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before, threads = set(sys.modules), torch.get_num_threads()
    yield [importlib.import_module(f"skill_snow_{what}") for what in ("swe", "fraction")]
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def test_results_of_other_settings_are_not_taken_for_these(scripts, tmp_path):
    swe, fraction = scripts
    plan, other = swe.Plan(2, 1, 0.01, 0.01), swe.Plan(3, 1, 0.01, 0.01)
    runs = (
        ("swe-lstm-fold0-seed1", lambda one: swe.fold_result("lstm", None, 0, 1, one, tmp_path, False)),
        ("fraction-lstm-seed1", lambda one: fraction.result_of("lstm", None, 1, one, tmp_path, False)),
    )
    for name, run in runs:
        (tmp_path / f"{name}.json").write_text(json.dumps({"kept": 1}), encoding="utf-8")
        assert run(plan) == {"kept": 1}
        with pytest.raises(SystemExit, match=f"{name} was made with updates 2; give the same"):
            run(other)


def test_a_record_of_more_seeds_stays(scripts, tmp_path, monkeypatch, capsys):
    shared = sys.modules["_skill_snow"]
    monkeypatch.setattr(shared, "RESULTS", tmp_path)
    for seeds in ([1, 2], [1], [3, 4]):
        shared.put_down(json.dumps({"name": "skill.snow.lstm", "seeds": seeds}))
        kept = json.loads((tmp_path / "snow.lstm.json").read_text())["seeds"]
        assert kept == ([1, 2] if seeds == [1] else seeds)
    assert "snow.lstm.json is of seeds [1, 2] and stays" in capsys.readouterr().err
