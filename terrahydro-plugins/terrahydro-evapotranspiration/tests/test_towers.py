"""Flux towers become fields of the models."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from terrahydro_evapotranspiration import ETNetwork, tower_weather
from terrahydro_evapotranspiration.towers import LevelShift, common_level, toa_radiation

from crest_core import FieldError

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real towers to read")
HEADER = "date,p,ta,sw_in,vpd,pa,ws,swc1,swc2,le,h,nee,nee_qc_frac"
ROWS = (
    "2001-09-01,0,20,200,10,95,2,20,30,120,50,-1,1.0",
    "2001-09-02,5,20,100,23,95,2,22,,60,20,-1,0.9",
    "2001-09-03,0,20,200,10,95,2,,,120,50,-1,0.2",
)


@pytest.fixture
def made_up(tmp_path):
    (tmp_path / "XX-Abc_daily.csv").write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")
    (tmp_path / "sites.csv").write_text("site,lat,lon\nXX-Abc,-20.0,30.0\n", encoding="utf-8")
    return tmp_path


def test_radiation_outside_the_atmosphere_is_that_of_fao_56_example_8():
    latitude, day = xr.DataArray([-20.0], dims="cell"), xr.DataArray([246], dims="time")
    assert toa_radiation(latitude, day).item() * 86400 / 1e6 == pytest.approx(32.2, abs=0.1)  # MJ m-2 day-1


def test_radiation_outside_the_atmosphere_is_zero_in_the_polar_night_and_greatest_on_the_polar_day():
    latitude, days = xr.DataArray([80.0], dims="cell"), xr.DataArray([5, 172], dims="time")
    night, day = toa_radiation(latitude, days).values.ravel()
    assert night == pytest.approx(0.0, abs=1e-9) and 500.0 < day < 560.0


def test_towers_come_by_the_names_and_in_the_units_of_the_models(made_up):
    data = tower_weather(made_up, sites=made_up / "sites.csv")
    for spec in (*ETNetwork.inputs, *ETNetwork.outputs[:3]):
        assert data[spec.name].attrs["units"] == spec.units and data[spec.name].dims == ("time", "cell"), spec.name
    saturated = 610.8 * np.exp(17.27 * 20 / 257.3)
    np.testing.assert_allclose(data["vapour_pressure"].values[:, 0], [saturated - 1000.0, 50.0, saturated - 1000.0])
    expected = [120.0 / (2.501e6 - 2361.0 * 20.0), 60.0 / (2.501e6 - 2361.0 * 20.0), np.nan]
    np.testing.assert_allclose(data["evapotranspiration"].values[:, 0], expected)


def test_a_tower_without_a_latitude_is_refused(made_up):
    (made_up / "sites.csv").write_text("site,lat,lon\nXX-Abc,,30.0\n", encoding="utf-8")
    with pytest.raises(FieldError, match=r"tower-weather: no latitude of the sites XX-Abc \(1 in all\), which shortw"):
        tower_weather(made_up, sites=made_up / "sites.csv")


def test_fluxes_of_gap_filled_days_are_not_handed_out_and_their_weather_is(made_up):
    data = tower_weather(made_up, sites=made_up / "sites.csv")
    for name in ("latent_heat", "sensible_heat", "evapotranspiration"):
        assert np.isnan(data[name].values[2, 0]) and np.isfinite(data[name].values[:2, 0]).all()
    assert np.isfinite(data["shortwave_down"].values).all()
    every = tower_weather(made_up, sites=made_up / "sites.csv", min_good_fraction=0.0)
    assert np.isfinite(every["latent_heat"].values).all()


def test_a_gap_in_one_sensor_makes_no_step_in_the_mean(made_up):
    moisture = tower_weather(made_up, sites=made_up / "sites.csv")["root_zone_soil_moisture"].values[:, 0]
    np.testing.assert_allclose(moisture, [0.25, 0.27, np.nan])  # sensor 1 is 0.1 below sensor 2


def test_a_level_shift_is_taken_out_and_what_the_soil_does_stays():
    times = xr.date_range("2004-01-01", "2007-12-31", freq="1D")
    season = 0.05 * np.cos(2 * np.pi * times.day_of_year.values / 365.25)
    stepped = xr.DataArray([season + 0.2, season + 0.2], {"time": times}, ("sensor", "time"))
    late = stepped["time"] >= np.datetime64("2006-01-01")
    stepped = stepped + xr.where(late, 0.07, 0.0) * xr.DataArray([1.0, 0.0], dims="sensor")
    levelled = common_level(stepped, LevelShift("2006-01-01", (12, 1, 2))).mean("sensor").values
    np.testing.assert_allclose(levelled - season, np.full(len(times), levelled[0] - season[0]), atol=2e-3)


def test_a_tower_without_sensors_has_no_soil_moisture(made_up):
    file = made_up / "XX-Abc_daily.csv"
    file.write_text(file.read_text().replace("swc1,swc2", "a,b"), encoding="utf-8")
    data = tower_weather(made_up, sites=made_up / "sites.csv")
    assert np.isnan(data["root_zone_soil_moisture"].values).all()


def test_a_reader_of_other_data_is_refused(made_up):
    with pytest.raises(
        FieldError, match=r"tower-weather: reader 'caravan'; expected one of \['flux-towers', 'fluxnet'"
    ):
        tower_weather(made_up, sites=made_up / "sites.csv", reader="caravan")


def test_a_table_without_wind_is_refused(made_up):
    file = made_up / "XX-Abc_daily.csv"
    file.write_text(file.read_text().replace(",ws,", ",other,"), encoding="utf-8")
    with pytest.raises(FieldError, match="wind_speed: the data hold no such variable"):
        tower_weather(made_up, sites=made_up / "sites.csv")


@needs_data
def test_long_filled_gaps_of_a_real_tower_are_left_out():
    sites = Path(DATA) / "fluxnet2015/sites.csv"
    data = tower_weather(Path(DATA) / "flux_towers", sites=sites, ids=["US-AR1"])
    assert int(data["latent_heat"].notnull().sum()) == 1228
    assert int(data["latent_heat"].sel(time=slice("2009-01-01", "2009-04-28")).notnull().sum()) == 0
    assert 0.15 < float(data["root_zone_soil_moisture"].mean()) < 0.25
    assert not [name for name in data if "ancillary_variables" in data[name].attrs]  # they are not handed on
