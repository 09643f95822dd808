"""Coverage counts samples by place and by time."""

import numpy as np
import torch
import xarray as xr
from crest_samples import (
    Source,
    Window,
    coverage,
    make_samples,
)
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather

from crest_core.plugins import registry


def test_coverage_counts_samples_by_place_and_scored_times():
    data = gauges(steps=20)
    data["discharge"][:, 1] = np.nan
    samples = make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(4, spin_up=1, targets=2))
    counts = coverage(samples)
    assert counts["sample_count"].values.tolist() == [16, 0, 16, 16, 16, 16]
    assert counts["sample_count_in_time"].values.tolist() == [0, 0, 0, 5, *[10] * 15, 5]
    assert int(counts["sample_count_in_time"].sum()) == 2 * len(samples)
    assert counts["cell_id"].values.tolist() == data["cell_id"].values.tolist()
    assert int(coverage(samples, torch.tensor([0, 1]))["sample_count"].sum()) == 2


def test_coverage_of_a_grid_is_a_map_with_its_own_coordinates():
    grid = weather(steps=8)
    samples = make_samples(
        [Source(grid, ("rain",), match="containing", patch=(3, 3))],
        [Source(grid, ("elevation", "rain"))],
        Window(4),
        unmatched="drop",
    )
    counts = coverage(samples)["sample_count"]
    assert counts.dims == ("y", "x") and counts["lat"].dims == ("y",)
    assert int(counts[0, 0]) == 0 and (counts[1:-1, 1:-1] == 5).all() and int(counts.sum()) == len(samples)


def test_the_command_counts_windows_and_writes_their_coverage(tmp_path, capsys):
    gauges(steps=20)[["discharge", "slope"]].to_netcdf(tmp_path / "data.nc")
    command = registry().load("cli_commands", "samples")
    command(tmp_path / "data.nc", "slope", "discharge", steps=5, output=tmp_path / "coverage.nc")
    assert "96 windows of 5 steps at 6 places" in capsys.readouterr().out
    with xr.open_dataset(tmp_path / "coverage.nc") as written:
        assert int(written["sample_count"].sum()) == 96
