"""The evapotranspiration script keeps its splits: no day that is scored reaches a model or its scaling."""

import importlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import packages
import pytest
import torch

FOLDER = packages.ROOT / "benchmarks"
DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real towers to read")


@pytest.fixture
def modules(monkeypatch) -> Iterator[dict[str, ModuleType]]:
    """The modules of the script; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    before, threads = set(sys.modules), torch.get_num_threads()
    names = ("_skill_towers", "_skill_et", "skill_evapotranspiration")
    yield {name: importlib.import_module(name) for name in names}
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.mark.parametrize("split", ["time", "space", "hot", "dry"])
def test_no_flux_that_is_scored_is_trained_on(modules, split):
    held = modules["_skill_et"].invented()
    for training, scored in modules["skill_evapotranspiration"].folds(split, held, look=False):
        for one in scored:
            assert one.observed().any()
            for other in training:
                if other.name == one.name:
                    assert not (other.observed() & one.observed()).any()
                    assert not (np.isfinite(other.net.numpy()) & one.observed()).any()


def test_validation_days_are_training_days_of_the_test(modules):
    one = modules["_skill_et"].invented()[0]
    known, scored = modules["_skill_et"].in_time(one, look=True)
    training, test = modules["_skill_et"].in_time(one, look=False)
    assert not (known & scored).any() and not (training & test).any()
    assert (training[known | scored]).all() and not (test & scored).any()


def test_the_hottest_tenth_is_hotter_than_all_that_is_trained_on(modules):
    held = modules["_skill_et"].invented()
    ((training, scored),) = modules["skill_evapotranspiration"].folds("hot", held, look=False)
    for known, asked in zip(training, scored, strict=True):
        air = known.drivers["air_temperature"].numpy()
        assert air[known.observed()].max() < air[asked.observed()].min()
        assert asked.observed().sum() == pytest.approx(0.1 * (known.observed() | asked.observed()).sum(), abs=2)


def test_the_scaling_knows_training_days_alone(modules):
    training = [modules["_skill_et"].invented()[0]]
    known, _ = modules["_skill_et"].in_time(training[0], look=False)
    masked = training[0].masked(known)
    changed = masked.drivers["wind_speed"].clone()
    changed[~torch.as_tensor(known)] = 1e6
    other = type(masked)(**{**vars(masked), "drivers": {**masked.drivers, "wind_speed": changed}})
    build = modules["_skill_et"].build
    one, two = (build("pure", [each], torch.Generator().manual_seed(1)) for each in (masked, other))
    assert torch.equal(one.network.mean, two.network.mean) and torch.equal(one.network.std, two.network.std)


def test_a_finished_run_is_not_trained_again_and_the_hybrid_closes_energy(modules, tmp_path):
    script, held = modules["skill_evapotranspiration"], modules["_skill_et"].invented()
    given = Namespace(quick=True, validation=False)
    first = script.trained("hybrid", "time", 1, given, held, tmp_path)
    stem = script.stem_of("hybrid", "time", 1, given, tmp_path)
    stem.with_suffix(".0.pt").unlink()
    assert script.trained("hybrid", "time", 1, given, held, tmp_path) == first
    assert max(one["closure"] for one in first.values()) < 1e-3


def test_a_run_of_other_settings_is_not_taken_for_this_one(modules, tmp_path, monkeypatch):
    script, held = modules["skill_evapotranspiration"], modules["_skill_et"].invented()
    given = Namespace(quick=True, validation=False)
    script.trained("hybrid", "time", 1, given, held, tmp_path)
    monkeypatch.setattr(script, "LEARNED", ("albedo",))
    with pytest.raises(SystemExit, match=r"was made with learned \['albedo', 'aerodynamic_factor'.*give the same"):
        script.trained("hybrid", "time", 1, given, held, tmp_path)


def test_a_training_that_was_stopped_goes_on_bit_for_bit_dropout_included(modules, tmp_path):
    script, held = modules["skill_evapotranspiration"], modules["_skill_et"].invented()

    def weights(folder: Path, *, stop: int | None = None) -> dict[str, torch.Tensor]:
        model = modules["_skill_et"].build("hybrid", held, torch.Generator().manual_seed(1))
        torch.manual_seed(1)
        calls = iter(range(100))

        def loss(generator: torch.Generator) -> torch.Tensor:
            if next(calls) == stop:
                raise KeyboardInterrupt
            return script.loss_of(model, held, script.WEIGHTS["hybrid"], generator)

        script.train(
            model, loss, None, script.Plan(4, 1, 0.02, 0.2), seed=1, checkpoint=folder / "a.pt",
            tell=lambda text: None,
        )  # fmt: skip
        return model.state_dict()

    straight = weights(tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        weights(tmp_path / "stopped", stop=2)
    resumed = weights(tmp_path / "stopped")
    assert all(torch.equal(value, resumed[name]) for name, value in straight.items())


def test_records_are_the_ones_of_the_page():
    files = sorted((FOLDER / "results" / "skill").glob("evapotranspiration-*.json"))
    assert len(files) == 8
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["name"] == f"skill.{file.stem}" and record["part"] == "test"
        assert record["seeds"] == [1, 2, 3] and record["spread"] is not None


@needs_data
def test_towers_are_read_with_good_days_alone(modules):
    towers = modules["_skill_towers"]
    data = towers.towers(Path(DATA), ["US-AR1", "US-Wkg"])
    here = towers.of(data, "US-AR1")
    assert here.sizes["time"] == 1461 and int(here["latent_heat"].notnull().sum()) == 1228
    balance = here["ecosystem_respiration"] - here["gross_primary_productivity"] - here["net_ecosystem_exchange"]
    assert float(abs(balance).max()) < 1e-9
    drivers = ("air_temperature", "vapour_pressure", "wind_speed", "shortwave_down", "precipitation_flux")
    assert not any(here[name].isnull().any() for name in drivers)
    assert 1.0 < float(here["evapotranspiration"].mean()) < 2.0  # kg m-2 day-1
