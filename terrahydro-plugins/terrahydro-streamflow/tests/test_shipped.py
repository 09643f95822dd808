"""The weights that come with the package."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from terrahydro_streamflow import basin_data

from crest_core import Sizes, registry, simulate

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real basins to read")
NAME = "streamflow-lstm-camels"


def test_they_are_a_component_that_needs_no_data_to_be_built():
    model = registry().load("components", NAME)().eval()
    mean, std = model.scaling.moments("runoff_flux")
    assert 1.0 < float(mean) < 2.0 and 2.0 < float(std) < 5.0  # kg m-2 day-1, of the training years
    state = model.initial_state(Sizes({"cell": 2}))
    dims = {spec.name: (2,) if spec.static else (30, 2) for spec in model.inputs}
    outputs, _ = model(state, {name: torch.ones(shape) for name, shape in dims.items()}, range(30))
    assert torch.isfinite(outputs["runoff_flux"]).all() and float(outputs["runoff_flux"].detach().min()) >= 0.0


@needs_data
def test_they_simulate_basins_in_years_that_they_have_not_seen():
    folder = Path(DATA) / "camels_us"
    few = basin_data(
        folder / "camels_us_maurer_1980_2008.nc", folder / "attributes.csv", listed=folder / "basins_531.txt"
    ).isel(cell=slice(0, None, 50))
    basins = few.sel(time=slice("1994-10-01", "1997-09-30")).load()
    run = simulate(registry().load("components", NAME)(), basins, start="1994-10-01", end="1997-10-01", progress=False)
    seen = slice("1995-10-01", "1997-09-30")
    simulated, observed = run["runoff_flux"].sel(time=seen).values, basins["runoff_flux"].sel(time=seen).values
    error = ((simulated - observed) ** 2).mean(axis=0) / observed.var(axis=0)
    assert np.median(1.0 - error) > 0.6 and (error < 0.7).all()
