"""Records of skill are of the scripts as they stand: the settings in a record are those that its script has now."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from types import ModuleType
from typing import Any

import packages
import pytest
import torch
from terrahydro import PARTS

from crest_core import registry

BENCHMARKS = packages.ROOT / "benchmarks"
FOLDERS = (BENCHMARKS, packages.ROOT / "examples" / "towers")
RECORDS = BENCHMARKS / "results" / "skill"
NAMES = ("skill_evapotranspiration", "skill_nee", "skill_soil_moisture_smap", "skill_soil_moisture_era5_land",
         "skill_towers_coupled", "tower_stages", "tower_models")  # fmt: skip


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts, by name; they are forgotten afterwards."""
    before, path, threads = set(sys.modules), list(sys.path), torch.get_num_threads()
    sys.path[:0] = [str(folder) for folder in FOLDERS]
    yield {name: importlib.import_module(name) for name in NAMES}
    sys.path[:] = path
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(tuple(map(str, FOLDERS))):
            del sys.modules[name]


def held(beginning: str) -> list[dict[str, Any]]:
    """Return the records whose names begin so."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(RECORDS.glob(f"{beginning}*.json"))]
    assert found, f"there are no records {beginning}"
    return found


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(settings))


def test_evapotranspiration(scripts):
    for record in held("evapotranspiration-"):
        kind = record["name"].split(".")[-1]
        assert record["settings"] | {"plan": record["plan"]} == scripts["skill_evapotranspiration"].settings_of(kind)


def test_net_ecosystem_exchange(scripts):
    for record in held("nee."):
        plan = scripts["skill_nee"].PLANS[record["name"].split(".")[2]]
        assert record["settings"] == plain(asdict(plan)), record["name"]


def test_the_card_of_the_carbon_weights_has_the_scores_of_the_record():
    (record,) = (one for one in held("nee.") if one["name"] == "skill.nee.light-response")
    card = registry().load("components", "nee-light-response-fluxnet").folder().keys.training.skill["sites_left_out"]
    scores = (record["value"], record["spread"], *record["baselines"].values())
    names = ("nee_r2", "spread_of_seeds", "boosting_r2", "mean_year_of_similar_sites_r2")
    assert [card[name] for name in names] == [round(one, 3) for one in scores]


def test_soil_moisture(scripts):
    for script, beginning in (("smap", "soil-moisture-smap."), ("era5_land", "soil-moisture-caravan.")):
        module = scripts[f"skill_soil_moisture_{script}"]
        now = plain(asdict(module.PLAN) | {"hidden": module.HIDDEN, "dropout": module.DROPOUT, "radius": module.RADIUS,
                                           "batch": module.BATCH})  # fmt: skip
        for record in held(beginning):
            assert {name: record["settings"][name] for name in now} == now, record["name"]


def test_towers(scripts):
    now = {"plan": asdict(scripts["tower_stages"].Plan()), "sizes": asdict(scripts["tower_models"].Sizes())}
    for record in (*held("towers-coupled."), *held("towers-drought.")):
        assert record["settings"] == plain(now) and record["seeds"] == [1, 2, 3] and not record["quick"]


def test_the_twin():
    records = held("twin.")
    assert len(records) == 4 and all(one["parts"] == dict(PARTS) and one["seeds"] == [1, 2, 3] for one in records)
    page = (packages.ROOT / "docs" / "models" / "how-good.md").read_text(encoding="utf-8").replace("\n", " ")
    kge = {source: [f"{one['scores'][source]['kge']:.2f}" for one in sorted(records, key=lambda one: one["period"],
                                                                            reverse=True)]
           for source in ("model", "climatology")}  # fmt: skip
    model, known = kge["model"], kge["climatology"]
    assert f"KGE is {model[0]}, {model[1]} and {model[2]} of the layers from above, {model[3]} of the discharge" in page
    assert f"(climatology {known[0]}, {known[1]}, {known[2]} and {known[3]})" in page
    river = next(one for one in records if "discharge" in one["name"])
    lost, taken = (river["water"][name].values() for name in ("residual_streamflow", "evapotranspiration"))
    assert f"{min(lost):.0f} to {max(lost):.0f} mm a year" in page
    assert f"({min(taken):.0f} to {max(taken):.0f} mm a year" in page
    soil = next(one for one in records if "soil-moisture" in one["name"])
    ratios = f"{soil['spread_over_error']:.2f} (soil moisture) and {river['spread_over_error']:.2f} (discharge)"
    assert ratios in page


def test_the_versions_in_a_record_are_those_of_the_packages_that_made_it(scripts):
    made_by = {
        "skill_evapotranspiration": {"terrahydro-evapotranspiration"},
        "skill_nee": {"terrahydro-carbon"},
        "skill_towers_coupled": {
            "terrahydro", "terrahydro-soil-moisture", "terrahydro-evapotranspiration", "terrahydro-carbon"
        },
    }  # fmt: skip
    for script, needed in made_by.items():
        told = set(scripts[script].DISTRIBUTIONS)
        assert {one for one in told if one.startswith("terrahydro")} == needed, script
