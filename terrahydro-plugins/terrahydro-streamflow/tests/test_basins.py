"""Basins of CAMELS-US become fields of the models, and all models learn from three of them."""

import os
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from crest_samples import Loader, Shuffled, Source, Window, make_samples
from terrahydro_streamflow import StreamflowEALSTM, StreamflowHBV, StreamflowLSTM, basin_data

from crest_core import FieldError, Sizes

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real basins to read")
BASINS = ["01013500", "01022500", "06614800"]
TRAINED = slice("1999-10-01", "2002-09-30")


def read(**settings):
    folder = Path(DATA) / "camels_us"
    return basin_data(folder / "camels_us_maurer_1980_2008.nc", folder / "attributes.csv", ids=BASINS, **settings)


@pytest.fixture(scope="module")
def basins():
    if not DATA:
        pytest.skip("CREST_DATA_DIR is not set: no real basins to read")
    return read(lag=1).sel(time=TRAINED).compute()


def test_basins_come_by_the_names_and_in_the_units_of_the_models(basins):
    for model in (StreamflowLSTM(hidden=4, lagged=True), StreamflowHBV(units=1)):
        for spec in (*model.inputs, model.outputs[0]):
            assert basins[spec.name].attrs["units"] == spec.units, spec.name
            assert basins[spec.name].dims == (("cell",) if spec.static else ("time", "cell"))
    assert 2.0 < float(basins["precipitation_flux"].mean()) < 5.0  # kg m-2 day-1
    assert -15.0 < float(basins["air_temperature_min"].mean()) < float(basins["air_temperature_max"].mean()) < 25.0
    assert 0.5 < float(basins["runoff_flux"].mean()) < 3.0


def test_lagged_discharge_is_that_of_the_day_before(basins):
    runoff, lagged = (basins[name].values for name in ("runoff_flux", "runoff_flux_lagged"))
    np.testing.assert_array_equal(lagged[1:], runoff[:-1])


@needs_data
def test_a_lag_of_no_day_is_refused():
    with pytest.raises(FieldError, match="a lag of 0 days would tell the model its own answer"):
        read(lag=0)


@needs_data
def test_an_attribute_that_a_basin_lacks_is_refused_with_the_basin():
    with pytest.raises(FieldError, match="attribute root_depth_50: no value for the basins 01013500"):
        read(static={"root_depth_50": "m"})


@needs_data
def test_an_attribute_that_no_table_has_is_refused():
    with pytest.raises(FieldError, match="slope_sd: the data hold no slope_sd, only precipitation_flux"):
        read(static={"slope_sd": "m km-1"})


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda draw: StreamflowLSTM(hidden=16, generator=draw), 1e-2),
        (lambda draw: StreamflowEALSTM(hidden=16, generator=draw), 1e-2),
        (lambda draw: StreamflowLSTM(hidden=16, lagged=True, hold_out=0.3, generator=draw), 1e-2),
        (lambda draw: StreamflowHBV(units=2, generator=draw), 1e-2),
    ],
    ids=["lstm", "ea-lstm", "lagged", "hbv"],
)
def test_a_model_learns_from_three_basins_in_20_steps(basins, make, rate):
    model = make(torch.Generator().manual_seed(1)).train()
    names = tuple(spec.name for spec in model.inputs)
    held = basins.assign(runoff_flux_lagged=basins["runoff_flux_lagged"].bfill("time"))
    window = Window(45, spin_up=45)
    samples = make_samples([Source(held, names)], [Source(held, ("runoff_flux",))], window, every=10)
    one, several = [{name: f(held[name]) for name in (*names, "runoff_flux")} for f in (np.mean, np.std)]
    model.standardise({k: float(v) for k, v in one.items()}, {k: max(float(v), 1e-3) for k, v in several.items()})
    loader = Loader(samples, Shuffled(len(samples)), 12, torch.Generator().manual_seed(2))
    optimiser, losses = torch.optim.Adam(model.parameters(), rate), []
    for _, batch in zip(range(20), cycle(loader), strict=False):
        cells = batch.on_cells()
        state = model.initial_state(Sizes({"cell": 1}, lead=(len(batch),)))
        runoff = model(state, cells.inputs, cells.times)[0]["runoff_flux"]
        error = (runoff[45:] - cells.targets["runoff_flux"]).square()
        loss = error[torch.isfinite(error)].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5]), losses
