"""Soil, surface and carbon at towers: what is handed over, the loop and its gradient, and the experiment."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from types import ModuleType

import numpy as np
import packages
import pandas as pd
import pytest
import torch

from crest_core import CrestError
from crest_core import Sizes as Shape

FOLDER = packages.ROOT / "examples" / "towers"
BENCHMARKS = packages.ROOT / "benchmarks"
NAMES = ("tower_models", "made_up_towers", "tower_sets", "tower_stages", "drought", "boosting", "compare",
         "skill_towers_coupled")  # fmt: skip
SOIL, ET_OF_SOIL = "root_zone_soil_moisture", "water_evapotranspiration_flux"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The modules of the example, by name; they are forgotten afterwards."""
    before, threads = set(sys.modules), torch.get_num_threads()
    path = list(sys.path)
    sys.path[:0] = [str(FOLDER), str(BENCHMARKS)]
    yield {name: importlib.import_module(name) for name in NAMES}
    sys.path[:] = path
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(FOLDER), str(BENCHMARKS))):
            del sys.modules[name]


@pytest.fixture
def parts(modules):
    """Small components in float64, untrained, without dropout."""
    models = modules["tower_models"]
    return {part: models.component(part, models.Sizes(4, 0.0), 1).double() for part in models.PARTS}


@pytest.fixture
def inputs(modules):
    """Made-up weather of 40 days at two towers, float64."""
    data = modules["tower_sets"].with_daily(modules["made_up_towers"].made_up(1, seed=3, towers=2)).isel(
        time=slice(0, 40)
    )  # fmt: skip
    return {str(name): torch.from_numpy(one.values).double() for name, one in data.data_vars.items()}


def run(model, inputs):
    """Return outputs of a run from the initial state."""
    days, cells = inputs["precipitation_flux"].shape
    state = model.initial_state(Shape({"cell": cells}, dtype=torch.float64))
    return model(state, {spec.name: inputs[spec.name] for spec in model.inputs}, range(days))[0]


def test_one_way_is_the_chain_of_its_components(modules, parts, inputs):
    """Surface and carbon meet the soil moisture of the day before; the first day that which is given."""
    graph = modules["tower_models"].one_way(parts, 0.2)
    assert not any(block.loop for block in graph.plan().blocks)
    coupled = run(graph, inputs)
    soil = run(parts["soil"], inputs)[SOIL]
    before = torch.cat([torch.full_like(soil[:1], 0.2), soil[:-1]])
    for part, name in (("surface", "evapotranspiration"), ("carbon", "net_ecosystem_exchange")):
        chain = run(parts[part], {**inputs, SOIL: before})
        torch.testing.assert_close(coupled[name], chain[name], rtol=1e-9, atol=1e-12)


def test_two_way_hands_the_evapotranspiration_of_the_day_to_the_soil_in_its_units(modules, parts, inputs):
    graph = modules["tower_models"].two_way(parts, 0.2)
    assert any(set(block.members) == {"soil", "surface"} for block in graph.plan().blocks if block.loop)
    assert not {SOIL, ET_OF_SOIL} & {spec.name for spec in graph.inputs}
    coupled = run(graph, inputs)
    soil = run(parts["soil"], {**inputs, ET_OF_SOIL: 86400.0 * coupled["evapotranspiration"]})
    torch.testing.assert_close(coupled[SOIL], soil[SOIL], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kind", "reaches"), [("one_way", False), ("two_way", True)])
def test_a_loss_of_carbon_reaches_the_surface_only_through_the_loop(modules, parts, inputs, kind, reaches):
    graph = getattr(modules["tower_models"], kind)(parts, 0.2)
    run(graph, inputs)["net_ecosystem_exchange"].square().mean().backward()
    gradients = [one.grad for one in parts["surface"].parameters() if one.grad is not None]
    assert (sum(float(one.abs().sum()) for one in gradients) > 0.0) == reaches
    assert sum(float(one.grad.abs().sum()) for one in parts["soil"].parameters()) > 0.0


def test_what_is_handed_over_is_observed_before_the_split_and_filled_by_the_season(modules):
    sets = modules["tower_sets"]
    towers = sets.invented()
    data = towers.data.copy(deep=True)
    data[SOIL][20:60, 1] = np.nan
    data[ET_OF_SOIL][100, 0] = np.nan
    towers = replace(towers, data=data)
    given = sets.handed_over(towers, observed=True)
    split = int(np.flatnonzero(data["time"].values == np.datetime64(towers.split["made-up-0"]))[0])
    np.testing.assert_array_equal(given[SOIL][1:split, 0], data[SOIL][: split - 1, 0])
    np.testing.assert_array_equal(given[ET_OF_SOIL][:100, 0], data[ET_OF_SOIL][:100, 0])
    assert given.isel(time=slice(0, split)).notnull().to_array().all()
    assert given.isel(time=slice(split, None)).isnull().to_array().all()
    others = data[SOIL].isel(cell=1)[[day + 365 for day in range(30, 50)]]  # the other year of the training part
    assert float(given[SOIL][41, 1]) == pytest.approx(float(others.mean()), abs=0.03)


def test_alone_a_component_is_handed_the_same_number_every_day(modules):
    sets = modules["tower_sets"]
    towers = sets.invented()
    given, mean = sets.handed_over(towers, observed=False), sets.statistics(towers)[0]
    for name in (SOIL, ET_OF_SOIL):
        values = given[name].values[np.isfinite(given[name].values)]
        assert np.ptp(values) == 0.0 and values[0] == pytest.approx(mean[name], rel=1e-5)


def test_the_scored_days_change_nothing_that_is_trained_on(modules):
    sets = modules["tower_sets"]
    towers = sets.invented()
    late = towers.data["time"] >= np.datetime64(max(towers.split.values()))
    changed = replace(towers, data=towers.data.where(~late, 1.0))
    assert sets.statistics(towers) == sets.statistics(changed)
    for observed in (True, False):
        assert sets.handed_over(towers, observed=observed).identical(sets.handed_over(changed, observed=observed))


def test_phases_part_the_days(modules):
    sets, made = modules["tower_sets"], modules["made_up_towers"].made_up(4, seed=1, towers=1)
    made = made.assign_coords(cell_id=("cell", [sets.DROUGHT]))
    split = {phase: sets.parted(made, "", {}, phase=phase) for phase in ("test", "validate", "drought")}
    found = {phase: one.split[sets.DROUGHT] for phase, one in split.items()}
    days = pd.DatetimeIndex(made["time"].values)
    assert found["test"] == days[int(0.7 * 1460)] and found["drought"] == pd.Timestamp("2011-01-01")
    assert found["validate"] == days[int(0.8 * int(0.7 * 1460))]
    assert split["validate"].of(sets.DROUGHT)["time"].values[-1] == days[int(0.7 * 1460) - 1]


def test_weather_is_filled_within_the_record_of_a_tower_and_not_beyond(modules):
    sets, made = modules["tower_sets"], modules["made_up_towers"].made_up(1, seed=1, towers=2)
    made["air_temperature"][:10, 1] = np.nan
    made["wind_speed"][50, 1] = np.nan
    made["precipitation_flux"][50, 1] = np.nan
    before = made.copy(deep=True)
    filled = sets.whole(made)
    assert float(filled["precipitation_flux"][50, 1]) == 0.0
    assert float(filled["wind_speed"][50, 1]) == pytest.approx(
        float(before["wind_speed"][[49, 51], 1].mean()), rel=1e-5
    )
    assert filled["wind_speed"][:10, 1].isnull().all() and filled["wind_speed"][10:, 1].notnull().all()
    assert filled[SOIL].identical(before[SOIL])


def test_the_driest_scored_year_is_chosen_by_rain(modules):
    sets, drought = modules["tower_sets"], modules["drought"]
    made = modules["made_up_towers"].made_up(5, seed=1, towers=1)
    for year, rain in ((2009, 0.1), (2010, 3.0), (2011, 2.0), (2012, 1.0)):
        made["precipitation_flux"].loc[{"time": str(year)}] = rain
    towers = replace(sets.parted(made, "", {}, phase="test"), split={"made-up-0": pd.Timestamp("2011-01-01")})
    found = drought.choose(towers)
    assert (found.tower, found.year, found.rain) == ("made-up-0", 2012, 366.0)  # 2009 is drier, and trained on
    assert "366 mm of rain" in found.describe()


def test_a_year_with_nothing_beside_it_is_told(modules):
    sets, made = modules["tower_sets"], modules["made_up_towers"].made_up(1, seed=1, towers=1)
    with pytest.raises(CrestError, match="made-up-0 has no other whole year than 2009"):
        modules["drought"].choose(sets.parted(made, "", {}, phase="test"))


@pytest.mark.slow
def test_boosting_beats_the_climatology_where_weather_makes_the_fluxes(modules):
    compare, towers = modules["compare"], modules["tower_sets"].invented()
    found = compare.scored(compare.BOOSTING, modules["boosting"].boosted(towers), towers)
    for target in ("evapotranspiration", "net_ecosystem_exchange"):
        ours, usual = (np.mean(found[target, one, "nse"]) for one in (compare.BOOSTING, "climatology"))
        assert ours > usual + 0.1


def test_records_have_the_score_beside_that_of_the_model_alone(modules):
    compare, skill = modules["compare"], modules["skill_towers_coupled"]
    arms = ("alone", "two-way, tuned", *compare.BASELINES)
    scores = [
        compare.Scores(target, arm, metric, (0.1 * place, 0.2 * place), (0.5, float("nan")))
        for target in compare.TARGETS
        for place, arm in enumerate(arms)
        for metric in compare.METRICS
    ]
    found = skill.records(compare.Experiment(scores, "", {}), {"towers": ["A", "B"], "phase": "test"})
    drought = skill.records(compare.Experiment(scores, "", {}), {"towers": ["A", "B"], "phase": "drought"})
    assert drought[0]["name"] == "skill.towers-drought.soil-moisture.alone"
    names = [one["name"].removeprefix("skill.towers-coupled.") for one in found]
    kinds = ("alone", "two-way-tuned")
    assert names == [f"{target}.{arm}" for target in ("soil-moisture", "et", "nee") for arm in kinds]
    assert (found[1]["value"], found[1]["baseline"], found[1]["baseline_value"]) == (0.15, "alone", 0.0)
    assert found[1]["by_seed"] == [0.1, 0.2] and found[1]["nse_by_tower"] == {"A": 0.5, "B": None}
    assert found[0]["baselines"] == {"climatology": 0.3, "gradient boosting": 0.45, "persistence": 0.6}


def test_an_absent_folder_is_told(modules, tmp_path):
    compare = modules["compare"]
    with pytest.raises(SystemExit, match="holds no folder flux_towers: name the one that does by --data"):
        compare.experiment(compare.arguments(["--data", str(tmp_path)]))


def test_predictions_of_other_settings_are_not_taken_for_these(modules, tmp_path):
    compare, stages = modules["compare"], modules["tower_stages"]
    towers, sizes = modules["tower_sets"].invented(), modules["tower_models"].Sizes(4, 0.1)
    compare.hold(tmp_path, {"plan": asdict(stages.Plan()), "sizes": asdict(sizes), "data": towers.hashes})
    other = modules["tower_models"].Sizes(4, 0.2)
    with pytest.raises(CrestError, match=r"was made with {'sizes': {'hidden': 4, 'dropout': 0.1}}; give the same"):
        compare.run(towers, other, stages.Plan(), [1], tmp_path)


@pytest.mark.slow
def test_the_experiment_runs_goes_on_where_it_was_stopped_and_draws(modules, tmp_path):
    compare = modules["compare"]
    given = compare.arguments(["--quick", "--seed", "1", "2", "--folder", str(tmp_path)])
    (first, *_), (again, *_) = (compare.experiment(given) for _ in range(2))
    assert [one.by_seed for one in first.scores] == [one.by_seed for one in again.scores]
    place = tmp_path / "quick"
    assert (place / "event.png").stat().st_size > 20_000
    table = (place / "table.md").read_text(encoding="utf-8")
    assert all(f"| {arm} | " in table for arm in (*compare.ARMS, *compare.BASELINES)) and "±" in table
    assert json.loads((place / "scores.json").read_text(encoding="utf-8"))["event"] == first.event


def test_a_folder_that_cannot_be_made_is_told_before_training(modules, tmp_path):
    (tmp_path / "file").write_text("")
    asked = modules["compare"].arguments(["--quick", "--folder", str(tmp_path / "file")])
    with pytest.raises(SystemExit, match=r"--folder .*/file/quick: Not a directory; name a folder that can be written"):
        modules["compare"].experiment(asked)
