"""The model folder of the examples: its skill is what its card says, and its run file restarts bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from crest_models import add_model, load_model
from crest_run import build_graph, load_run, open_forcing

from crest_core import SafetensorsStore, registry, simulate

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "model-folder"
FOLDER = EXAMPLE / "schwingbach-soil-moisture"


def test_the_card_states_the_skill_that_the_weights_have():
    data = registry().load("data_sources", "schwingbach")("1D")
    simulated = simulate(load_model(FOLDER), data, start="2014-01-01", end="2017-01-01")["soil_moisture"]
    year = slice("2016-01-01", "2016-12-31")
    found = registry().load("metrics", "nse")(
        simulated.sel(time=year).values, data["soil_moisture"].sel(time=year).values
    )[:, 0]
    skill = yaml.safe_load((FOLDER / "model.yaml").read_text(encoding="utf-8"))["training"]["skill"]
    stated = list(skill["NSE of 2016, nothing tuned on that year"].values())
    assert np.allclose(found, stated, atol=0.006)  # two decimals are stated
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert f"| the model, seed 1 | {' | '.join(f'{value:.2f}' for value in stated)} |" in readme


def test_the_files_are_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 50_000


def test_the_run_file_restarts_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setenv("CREST_MODELS", str(tmp_path / "models"))
    registry.cache_clear()
    try:
        add_model(FOLDER)
        run = load_run(EXAMPLE / "run.yaml")
        graph, forcing = build_graph(run), open_forcing(run)
    finally:
        monkeypatch.undo()
        registry.cache_clear()
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    whole = simulate(graph, forcing, start="2016-04-22", end="2016-06-21", window="10D")
    simulate(graph, forcing, start="2016-04-22", end="2016-05-22", window="10D", store=store)
    rest = simulate(graph, forcing, end="2016-06-21", window="10D", resume=store)
    both = whole["soil_moisture"].sel(time=rest["time"]).values
    assert both.std() > 0.0 and len(rest["time"]) >= 20 and np.array_equal(rest["soil_moisture"].values, both)
