"""A short calibration on real snow improves on the parameters that the models come with, in years it has not seen."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from terrahydro_snow import DegreeDaySnow, SnowLSTM
from terrahydro_snow.example import bare_ground

from crest_core import registry

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real snow to calibrate on")
DAY, ZERO_CELSIUS = 86400.0, 273.15
BASINS = ["01013500", "06614800", "09035900", "10336660", "12451000", "13235000"]  # Maine to Washington


def forcing_of(dataset, names):
    scales = {"precipitation_flux": (DAY, 0.0), "shortwave_down": (1.0, 0.0)}
    found = {}
    for name in names:
        factor, offset = scales.get(name, (1.0, -ZERO_CELSIUS))
        values = dataset[name].transpose("time", "cell").values * factor + offset
        found[name] = torch.tensor(values, dtype=torch.float32)
    return found


def descend(model, inputs, output, observed, *, updates, rate):
    """Fit the output to what is observed, by updates of Adam on squared errors."""
    seen, optimiser = torch.isfinite(observed), torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(updates):
        optimiser.zero_grad()
        error = simulate(model, inputs)[output] - observed.nan_to_num()
        torch.where(seen, error, 0.0).square().mean().backward()
        optimiser.step()


def simulate(model, inputs):
    cells = inputs["precipitation_flux"].shape[-1]
    return model(bare_ground(model, cells, dtype=torch.float32), inputs, range(len(inputs["precipitation_flux"])))[0]


def nse(simulated, observed):
    return (
        1.0 - (simulated - observed).square().nansum(0) / (observed - observed.nanmean(0)).square().nansum(0)
    ).numpy()


@needs_data
@pytest.mark.parametrize("kind", ["degree-day", "lstm"])
def test_snow_of_camels_basins_is_nearer_after_a_short_calibration(kind):
    folder = Path(DATA) / "camels_us"
    reader = registry().load("data_sources", "camels-us-netcdf")
    dataset = reader(folder / "camels_us_maurer_1980_2008.nc", ids=BASINS, srad="24h")
    generator = torch.Generator().manual_seed(1)
    kinds = {"degree-day": DegreeDaySnow, "lstm": SnowLSTM}
    model = kinds[kind](generator=generator, **({"hidden": 8} if kind == "lstm" else {}))
    years = {}
    for name, (first, last) in {"fit": ("1990-09-01", "1991-08-31"), "new": ("1995-09-01", "1996-08-31")}.items():
        part = dataset.sel(time=slice(first, last)).load()
        names = [spec.name for spec in model.inputs]
        observed = torch.tensor(part["snow_water_equivalent"].transpose("time", "cell").values, dtype=torch.float32)
        years[name] = forcing_of(part, names), observed
    known = years["fit"][0]
    model.standardise({n: float(v.mean()) for n, v in known.items()}, {n: float(v.std()) for n, v in known.items()})
    with torch.no_grad():
        before = nse(simulate(model, years["new"][0])["surface_snow_amount"], years["new"][1])
    descend(model, known, "surface_snow_amount", years["fit"][1], updates=8, rate=0.1 if kind == "degree-day" else 0.02)
    with torch.no_grad():
        after = nse(simulate(model, years["new"][0])["surface_snow_amount"], years["new"][1])
    assert np.mean(after) > np.mean(before)
    assert np.mean(after) > 0.5


@needs_data
def test_cover_of_the_durance_is_nearer_after_a_short_calibration():
    reader = registry().load("data_sources", "modis-snow")
    dataset = reader(Path(DATA) / "airgr_france" / "durance_embrun_modis_sca.csv").load()
    model = DegreeDaySnow(temperature="mean", drivers=(), bands=5)
    errors = {}
    parts = {"fit": ("2001-08-01", "2002-08-31"), "new": ("2003-08-01", "2004-08-31")}
    for moment in ("before", "after"):
        for name, (first, last) in parts.items():
            part = dataset.sel(time=slice(first, last))
            inputs = forcing_of(part, ["precipitation_flux", "air_temperature"])
            observed = part["snow_cover_fraction"].transpose("time", "elevation_band", "cell").values
            observed = torch.tensor(observed, dtype=torch.float32)
            if (moment, name) == ("after", "fit"):
                descend(model, inputs, "band_snow_area_fraction", observed, updates=8, rate=0.15)
            with torch.no_grad():
                error = simulate(model, inputs)["band_snow_area_fraction"] - observed
            errors[moment, name] = float(error.square().nanmean().sqrt())
    assert errors["after", "new"] < errors["before", "new"]
    assert errors["after", "new"] < 0.2
