"""The run file of the example restarts bit for bit, with each of its soils."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crest_run import build_graph, load_run, open_forcing

from crest_core import SafetensorsStore, simulate

RUN = Path(__file__).resolve().parent.parent / "examples" / "schwingbach" / "run.yaml"
START, END = "2014-05-03", "2014-07-02"
ENDS = ("2014-05-07", "2014-05-17", "2014-05-27", "2014-06-16", "2014-06-26")  # of windows of 10 days since 2000


@pytest.mark.parametrize("soil", ["soil-bucket", "soil-lstm"])
def test_the_example_restarts_bit_for_bit_at_window_ends(soil, tmp_path):
    (tmp_path / "run.yaml").write_text(RUN.read_text().replace("use: soil-bucket", f"use: {soil}"))
    run = load_run(tmp_path / "run.yaml")
    graph, forcing = build_graph(run), open_forcing(run)
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    whole = simulate(graph, forcing, start=START, end=END, window="10D")
    assert float(whole["root_zone_soil_moisture"].std()) > 0.0
    for end in ENDS:
        first = simulate(graph, forcing, start=START, end=end, window="10D", store=store)
        rest = simulate(graph, forcing, end=END, window="10D", resume=store)
        assert rest["time"].values[0] == np.datetime64(end)
        joined = xr.concat([first, rest], "time", data_vars="minimal")
        for field in graph.outputs:
            assert np.array_equal(joined[field.name].values, whole[field.name].values), (end, field.name)
