"""The script of net ecosystem exchange keeps its splits, tells sites free of choices, and scores as it says."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import numpy as np
import packages
import pytest
import torch

FOLDER = packages.ROOT / "benchmarks"
NAMES = ("_skill_nee", "_skill_nee_scores", "skill_nee")


@pytest.fixture
def nee(monkeypatch) -> Iterator[SimpleNamespace]:
    """The modules of the script; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before, threads = set(sys.modules), torch.get_num_threads()
    loaded: dict[str, ModuleType] = {name: importlib.import_module(name) for name in NAMES}
    yield SimpleNamespace(data=loaded[NAMES[0]], scores=loaded[NAMES[1]], script=loaded[NAMES[2]])
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def invented(sites: int) -> np.ndarray:
    return np.array([f"XX-{number:03d}" for number in range(sites)])


def test_each_site_is_tested_once_and_by_a_model_that_has_not_seen_it(nee):
    ids, tested = invented(47), []
    for fold in range(nee.data.FOLDS):
        training, validation, test = nee.data.dealt(ids, fold)
        assert sorted([*training, *validation, *test]) == list(range(47))
        tested += list(test)
    assert sorted(tested) == list(range(47))


def test_sites_that_settings_were_chosen_on_are_told_from_the_others(nee):
    ids = invented(160)
    free = nee.scores.unchosen(ids)
    chosen = {int(one) for fold in range(nee.data.FOLDS) for one in nee.data.dealt(ids, fold)[1]}
    assert set(np.flatnonzero(~free)) == chosen
    assert 0 < free.sum() < 160  # validation sites of one fold are test sites of another


def test_years_that_are_left_out_have_no_targets_and_all_their_weather(nee):
    data = nee.data.synthetic()
    less = nee.data.thinned(data, 2, seed=1)
    for name in nee.data.TARGETS:
        known = less[name].notnull().groupby("time.year").any().sum("year")
        assert set(known.values) == {2}
    assert less["air_temperature"].identical(data["air_temperature"])


def test_r2_of_the_mean_is_nothing_and_of_the_truth_is_all(nee):
    truth = np.random.default_rng(1).normal(size=(400, 3)) + np.array([0.0, 2.0, 5.0])
    truth[:50, 0] = np.nan
    found = nee.scores.scores(truth, truth)
    assert (found["r2"], found["rmse"], found["days"], found["sites"]) == (1.0, 0.0, 1150, 3)
    flat = nee.scores.scores(np.full_like(truth, np.nanmean(truth)), truth)
    assert flat["r2"] == pytest.approx(0.0) and flat["rmse"] == pytest.approx(np.nanstd(truth))
    assert flat["r2_median_of_sites"] < 0.0


def test_parts_tell_levels_seasons_and_days_apart(nee):
    draw, month = np.random.default_rng(1), np.repeat(np.arange(1, 13), 30)
    level, season = np.array([0.0, 1.0, 4.0]), np.sin(2.0 * np.pi * month / 12.0)[:, None] * np.array([1.0, 2.0, 3.0])
    days = draw.normal(size=(360, 3))
    days -= np.stack([days[month == one].mean(0) for one in range(1, 13)])[month - 1]
    truth = level + season + days
    for answer, expected in (
        (level + 0.0 * days, (1, 0, 0)),
        (level + season, (1, 1, 0)),
        (season + days, (None, 1, 1)),
    ):
        found = tuple(nee.scores.parts(answer, truth, month).values())
        for value, known in zip(found, expected, strict=True):
            assert known is None or value == pytest.approx(known, abs=1e-9)
    assert nee.scores.parts(season + days, truth, month)["r2_of_site_means"] < 0.0


def test_sites_drawn_again_give_an_interval_around_the_score(nee):
    draw = np.random.default_rng(1)
    truth = draw.normal(size=(300, 40))
    good, bad = truth + draw.normal(0.0, 0.3, truth.shape), truth + draw.normal(0.0, 0.6, truth.shape)
    found = nee.scores.drawn(good, bad, truth, 1)
    assert found["r2"][0] < nee.scores.scores(good, truth)["r2"] < found["r2"][1]
    assert 0.0 < found["r2_over_baseline"][0] < found["r2_over_baseline"][1]
    assert nee.scores.drawn(good, good, truth, 1)["r2_over_baseline"] == [0.0, 0.0]


def test_predictions_of_other_settings_are_not_taken_for_these(nee, tmp_path):
    plan = nee.data.Plan("lstm", hidden=4)
    (tmp_path / "lstm.test.fold-0.seed-1").mkdir()
    np.save(tmp_path / "lstm.test.fold-0.seed-1" / "predictions.npy", np.zeros((3, 2)))
    assert nee.script.fold_of(plan, None, 0, 1, tmp_path, False).shape == (3, 2)
    with pytest.raises(SystemExit, match="was made with hidden 4; give the same"):
        nee.script.fold_of(nee.data.Plan("lstm", hidden=5), None, 0, 1, tmp_path, False)


def test_a_quick_run_ends_in_records_of_the_same_days(nee, monkeypatch, capsys):
    arguments = ["skill_nee.py", "--quick", "--model", "light-response", "--seed", "1", "2"]
    monkeypatch.setattr(sys, "argv", arguments)
    nee.script.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in lines] == ["skill.nee.light-response", "skill.nee.light-response.ensemble"]
    assert all(np.isfinite(one["value"]) and one["part"] == "made-up sites" for one in lines)
    assert {one["days"] for one in lines[0]["baseline_scores"].values()} == {lines[1]["scores"]["days"]}
    assert "terrahydro-carbon" in lines[0]["versions"] and "terrahydro-snow" not in lines[0]["versions"]


def test_records_tell_what_sites_that_nothing_was_chosen_on_say():
    files = sorted((FOLDER / "results" / "skill").glob("nee.*.json"))
    assert len(files) == 4
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["name"] == f"skill.{file.stem}" and record["part"] == "sites left out"
        assert record["seeds"] == [1, 2, 3] and record["folds"] == [0, 1, 2, 3, 4]
        held = [record["scores"]] if file.stem.endswith("ensemble") else list(record["scores"].values())
        held += list(record["baseline_scores"].values())
        assert {one["days"] for one in held} == {357190}
        assert {one["sites_not_chosen_on"]["sites"] for one in held} == {116}
