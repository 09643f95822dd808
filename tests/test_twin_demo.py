"""The demo of the twin: its run file is the twin, and the whole runs on what comes with packages."""

from __future__ import annotations

import importlib
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr
from crest_run import build_graph, load_run
from terrahydro import PARTS, twin

from crest_core.provenance import graph_hash

HERE = Path(__file__).resolve().parent.parent / "examples" / "twin"
RECORDS = HERE.parent.parent / "benchmarks" / "results" / "skill"
FIGURES = (
    "schwingbach-states",
    "schwingbach-fluxes",
    "schwingbach-budget",
    "fulda-states",
    "fulda-fluxes",
    "fulda-budget",
)


def test_the_run_file_is_the_twin():
    run = load_run(HERE / "run.yaml")
    assert graph_hash(build_graph(run)) == graph_hash(twin())


@pytest.mark.slow
def test_the_demo_runs_judges_and_draws(tmp_path):
    command = [sys.executable, str(HERE / "demo.py"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for said in (
        "not seen in training",
        "mean of 3 sets of weights",
        "RMSE, m3/m3",
        "model, 17.5-32.5 cm",
        "estimated or assumed, not measured: shortwave down",
        "Not verified here: snow, evapotranspiration, carbon",
        "how-good.md",
        "residual",
    ):
        assert said in done.stdout
    for name in (*FIGURES, "spread"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    scores = json.loads((tmp_path / "scores.json").read_text())
    records = [json.loads(file.read_text(encoding="utf-8"))["scores"] for file in sorted(RECORDS.glob("twin.*.json"))]
    now = [
        {source: {metric: values[layer] for metric, values in found.items()} for source, found in scores[place].items()}
        for place, layers in (("fulda", 1), ("schwingbach", 3))
        for layer in range(layers)
    ]
    assert len(records) == len(now) == 4
    for kept, made in zip(records, now, strict=True):
        for source, found in kept.items():
            assert made[source] == pytest.approx(found, abs=5e-3), source  # what other machines differ by
    with xr.open_dataset(tmp_path / "schwingbach.nc") as run:
        assert run.sizes["time"] == 1096
    with xr.open_dataset(tmp_path / "schwingbach-budget.nc") as budget:
        assert budget.sizes["time"] == 1095 and budget["residual"].attrs["units"] == "kg m-2"
    assert "What no term explains in a step, fulda; mm" in done.stdout and "first set of weights; mm" in done.stdout


@pytest.mark.slow
def test_a_part_that_the_places_cannot_feed_is_told_in_a_line(tmp_path):
    command = [sys.executable, str(HERE / "demo.py"), "--members", "1", "--output", str(tmp_path),
               "--soil", "soil-lstm", "--streamflow", "streamflow-lstm"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1 and "demo: forcing lacks" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_part_takes_settings_and_random_weights_are_told(tmp_path):
    changed = ["--snow", "snow-lstm", "--surface", "et-priestley-taylor", "--set", "surface.altitude=239"]
    command = [sys.executable, str(HERE / "demo.py"), "--members", "1", "--output", str(tmp_path), *changed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Random weights: snow (snow-lstm), surface (et-priestley-taylor)." in done.stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["untrained"] == ["snow", "surface"] and scores["settings"] == {"surface": {"altitude": 239}}


def test_parts_without_weights_are_found(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    judged = importlib.import_module("judged")
    assert judged.untrained(PARTS, {}) == []
    assert judged.untrained({**PARTS, "carbon": "nee-lstm", "snow": "snow-degree-day"}, {}) == ["carbon"]


@pytest.fixture
def refused(monkeypatch):
    """Return what the demo, run in this process, ends with."""

    def run(*arguments):
        monkeypatch.syspath_prepend(str(HERE))
        monkeypatch.setattr(sys, "argv", ["demo.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(HERE / "demo.py"))
        return ended.value.code

    return run


def test_a_folder_that_cannot_be_made_is_told(refused, tmp_path):
    (tmp_path / "file").write_text("")
    told = refused("--output", str(tmp_path / "file"))
    assert told == f"demo: --output {tmp_path / 'file'}: File exists; name a folder that can be written to"


def test_a_setting_that_is_none_is_told(refused, capsys):
    assert refused("--set", "altitude=239") == 2
    said = capsys.readouterr().err
    assert "--set altitude=239: expected PART.SETTING=VALUE, PART one of snow," in said
