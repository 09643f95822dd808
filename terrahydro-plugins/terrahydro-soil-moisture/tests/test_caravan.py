"""Caravan becomes fields of the soil LSTM: units, what reaches the soil, and soil moisture at the end of a day."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from terrahydro_soil_moisture import SoilLSTM, soil_data
from terrahydro_soil_moisture.caravan import ERA5_LAND_LAYERS

from crest_core import FieldError, registry

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no catchments of Caravan to read")
FORCING = ("precipitation_flux", "air_temperature", "vapour_pressure", "vapour_pressure_deficit", "wind_speed")
SNOWY = "camelsch_4001"


@pytest.fixture(scope="module")
def both():
    """Liquid and all water of a catchment with snow."""
    if not DATA:
        pytest.skip("CREST_DATA_DIR is not set: no catchments of Caravan to read")
    return [soil_data(Path(DATA) / "caravan", ids=[SNOWY], water=water).load() for water in ("liquid", "total")]


def test_fields_come_by_the_names_and_in_the_units_of_the_model(both):
    model = SoilLSTM(hidden=4, layers=ERA5_LAND_LAYERS, forcing=FORCING)
    for spec in (*model.inputs, model.outputs[0]):
        field = both[0][spec.name]
        assert (field.attrs["units"], field.attrs["standard_name"]) == (spec.units, spec.standard_name)
        assert set(field.dims) == {"time", *spec.dims}
    means = {name: float(both[0][name].mean()) for name in FORCING}
    assert 2.0 < means["precipitation_flux"] < 5.0 and 5.0 < means["air_temperature"] < 12.0
    assert 700.0 < means["vapour_pressure"] < 1200.0 and 100.0 < means["vapour_pressure_deficit"] < 600.0


def test_snow_delays_water_and_loses_none_but_what_it_gives_to_the_air(both):
    liquid, total = (one["precipitation_flux"] for one in both)
    cold = both[0]["air_temperature"] < -3.0
    assert float(liquid.where(cold).mean()) < 0.6 * float(total.where(cold).mean())
    assert float(liquid.sum()) == pytest.approx(float(total.sum()), rel=0.02)
    assert float(liquid.min()) >= 0.0


def test_soil_moisture_is_that_at_the_end_of_the_day(both):
    held = registry().load("data_sources", "caravan")(Path(DATA) / "caravan", ids=[SNOWY])["soil_moisture"].values
    ours = both[0]["soil_moisture"].transpose(..., "cell").values
    np.testing.assert_allclose(ours[100], 0.5 * (held[100] + held[101]), rtol=1e-6)
    assert both[0]["soil_moisture"].attrs["cell_methods"] == "time: point"


def made_up_catchment(kelvin: bool) -> xr.Dataset:
    """Return ten days of a catchment that does not exist, its temperatures and water in one units or another."""
    draw, shape = np.random.default_rng(1), (10, 1)
    days = np.datetime64("2001-01-01", "ns") + np.arange(10) * np.timedelta64(1, "D")
    zero, day, hundred = (273.15, 86400.0, 1.0) if kelvin else (0.0, 1.0, 100.0)
    warm, dew, rain, snow = draw.normal(5.0, 2.0, shape), draw.normal(2.0, 1.0, shape), draw.gamma(2.0, 2.0, shape), 8.0
    told = {"degree": {"units": "K" if kelvin else "degC"}, "rain": {"units": f"kg m-2 {'s' if kelvin else 'day'}-1"},
            "wind": {"units": "m s-1" if kelvin else "cm s-1"}}  # fmt: skip
    two = ("time", "cell")
    fields = {
        "air_temperature": (two, warm + zero, told["degree"]),
        "air_temperature_max": (two, warm + 4.0 + zero, told["degree"]),
        "air_temperature_min": (two, warm - 4.0 + zero, told["degree"]),
        "dew_point_temperature": (two, dew + zero, told["degree"]),
        "precipitation_flux": (two, rain / day, told["rain"]),
        "snow_water_equivalent": (two, np.full(shape, snow), {"units": "kg m-2"}),
        "eastward_wind": (two, np.full(shape, 3.0 * hundred), told["wind"]),
        "northward_wind": (two, np.full(shape, 4.0 * hundred), told["wind"]),
        "soil_moisture": (("time", "soil_layer", "cell"), draw.uniform(0.2, 0.4, (10, 4, 1)), {"units": "1"}),
        "time_bnds": (("time", "bnds"), np.stack([days, days + np.timedelta64(1, "D")], axis=1)),
    }
    return xr.Dataset(fields, {"time": days}).set_coords("time_bnds")


def test_units_of_the_source_are_converted_and_never_assumed(monkeypatch):
    class Sources:
        def __init__(self, kelvin):
            self.kelvin = kelvin

        def load(self, kind, name):
            return lambda path, ids: made_up_catchment(self.kelvin)

    found = []
    for kelvin in (True, False):
        monkeypatch.setattr("terrahydro_soil_moisture.caravan.registry", lambda kelvin=kelvin: Sources(kelvin))
        found.append(soil_data("nowhere", water="total"))
    xr.testing.assert_allclose(*found, rtol=1e-9)
    assert float(found[0]["wind_speed"][0, 0]) == pytest.approx(5.0)


@pytest.mark.parametrize("lacking", ["dew_point_temperature", "eastward_wind", "soil_moisture"])
def test_a_column_that_is_not_there_is_named(monkeypatch, lacking):
    class Sources:
        def load(self, kind, name):
            return lambda path, ids: made_up_catchment(True).drop_vars(lacking)

    monkeypatch.setattr("terrahydro_soil_moisture.caravan.registry", Sources)
    with pytest.raises(FieldError, match=rf"caravan-soil: {lacking}: the tables hold no such variable, only air_temp"):
        soil_data("nowhere")


@needs_data
def test_another_water_is_refused():
    with pytest.raises(FieldError, match="water 'melt'; expected 'liquid' or 'total'"):
        soil_data(Path(DATA) / "caravan", water="melt")
