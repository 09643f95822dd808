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
