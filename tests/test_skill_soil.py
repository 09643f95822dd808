"""The scripts of soil moisture keep their splits, score as they say, and run on made-up data."""

import importlib
import json
import sys
from types import SimpleNamespace

import numpy as np
import packages
import pytest
import torch

from crest_core import flushed_denormals

FOLDER = packages.ROOT / "benchmarks"
SCRIPTS = {"smap": "skill_soil_moisture_smap", "land": "skill_soil_moisture_era5_land", "soil": "_skill_soil"}


@pytest.fixture
def soil(monkeypatch):
    """The scripts and what they share; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before, threads = set(sys.modules), torch.get_num_threads()
    with flushed_denormals():
        yield SimpleNamespace(**{short: importlib.import_module(name) for short, name in SCRIPTS.items()})
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def test_nothing_of_the_second_year_is_learned_from(soil):
    weather, static, observed, day = soil.smap.made_up()
    pixels = soil.smap.parted(weather, static, observed, day, validation=False)
    assert not np.isfinite(pixels.known[soil.smap.FIRST :]).any() and not pixels.scored[: soil.smap.FIRST].any()
    other = observed.copy()
    other[soil.smap.FIRST :] = 0.4
    again = soil.smap.parted(weather, static, other, day, validation=False)
    for name, values in pixels.static.items():
        np.testing.assert_array_equal(values, again.static[name])
    scaling = [soil.smap.build(one, 4, torch.Generator().manual_seed(1)).scaling for one in (pixels, again)]
    assert torch.equal(scaling[0].mean, scaling[1].mean)


def test_settings_are_chosen_on_quarters_of_the_first_year_that_a_pixel_lacked(soil):
    pixels = soil.smap.parted(*soil.smap.made_up(), validation=True)
    assert len(pixels.observed) == soil.smap.FIRST
    assert not (np.isfinite(pixels.observed) & np.isfinite(pixels.known)).any()
    assert (np.isfinite(pixels.observed).sum(0) > 5).all()
    np.testing.assert_allclose(pixels.static["mean_soil_moisture"], np.nanmean(pixels.known, 0))


def test_a_catchment_that_is_left_out_and_late_years_are_not_learned_from(soil):
    catchments = soil.land.made_up()
    for number, (known, scored, places) in enumerate(soil.land.parted(catchments, "places", validation=False)):
        assert number not in places and not np.isfinite(known[:, :, number]).any()
        assert np.isfinite(scored[:, :, number]).any() and not np.isfinite(scored[:, :, places]).any()
        assert set(soil.land.windows(catchments, known, places)[:, 1]) == set(places)
    for validation, first in ((False, soil.land.VALIDATED), (True, soil.land.FIT)):
        ((known, scored, _),) = soil.land.parted(catchments, "years", validation=validation)
        assert catchments.times[np.isfinite(known[:, 0, 0])].max() < soil.land.FIT
        assert catchments.times[np.isfinite(scored[:, 0, 0])].min() == first


def test_scores_are_those_of_the_textbook(soil):
    observed = np.array([[0.1, 0.3, np.nan] * 8, [0.2, 0.2, 0.2] * 8]).T.repeat(1, axis=1)
    found = soil.soil.scores(observed + 0.02, observed)
    assert found["rmse"].tolist() == pytest.approx([0.02, 0.02]) and found["bias"].tolist() == pytest.approx([0.02] * 2)
    assert found["ubrmse"][0] == pytest.approx(0.0, abs=1e-6) and found["r"][0] == pytest.approx(1.0)
    assert found["nse"][0] == pytest.approx(1.0 - 0.02**2 / 0.1**2)
    assert np.isnan(soil.soil.scores(observed[:6], observed[:6])["rmse"]).all()  # too few


def test_the_last_overpass_is_of_a_day_before(soil):
    column = np.array([np.nan, 0.2, np.nan, 0.3])[:, None]
    np.testing.assert_array_equal(soil.soil.last_seen(column)[:, 0], [np.nan, np.nan, 0.2, 0.2])


def test_a_climatology_of_one_year_is_smooth_and_fills_what_it_has_not_seen(soil):
    day = np.arange(1, 366)
    wave = 0.2 + 0.1 * np.sin(2.0 * np.pi * day / 365.0)
    seen = np.where(day % 3 == 0, wave, np.nan)[:, None]
    np.testing.assert_allclose(soil.soil.smoothed_days(seen, day)[day - 1, 0], wave, atol=0.01)
    alone = np.full((365, 1), np.nan)
    alone[:2] = 0.3
    assert soil.soil.smoothed_days(alone, day)[180, 0] == pytest.approx(0.3)


def test_checkpoints_of_other_settings_are_not_taken_for_these(soil, monkeypatch, tmp_path):
    land, catchments = soil.land, soil.land.made_up()
    ((known, _, places),) = land.parted(catchments, "years", validation=False)
    pixels = soil.smap.parted(*soil.smap.made_up(), validation=False)
    plan = soil.smap.Plan(1, 1, 0.01, 0.01)
    land.member(catchments, known, places, 1, plan, tmp_path / "a")
    soil.smap.member(pixels, 1, plan, tmp_path, 4)
    for module in (land, soil.smap):
        monkeypatch.setattr(module, "DROPOUT", 0.9)
    with pytest.raises(SystemExit, match=r"a was made with dropout 0.1; give the same"):
        land.member(catchments, known, places, 1, plan, tmp_path / "a")
    with pytest.raises(SystemExit, match=r"smap-seed1 was made with dropout 0.3; give the same"):
        soil.smap.member(pixels, 1, plan, tmp_path, 4)


@pytest.mark.parametrize(("script", "arguments"), [("smap", ["--seed", "1", "2"]), ("land", ["--seed", "1"])])
def test_a_quick_run_ends_in_records(soil, monkeypatch, capsys, script, arguments):
    module = getattr(soil, script)
    monkeypatch.setattr(sys, "argv", [SCRIPTS[script], "--quick", "--model", "lstm", *arguments])
    module.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"].split(".")[1] for one in lines] == [lines[0]["name"].split(".")[1]] * 2
    assert all(np.isfinite(one["value"]) and one["part"] == "made-up data" and one["baselines"] for one in lines)
