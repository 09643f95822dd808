"""The Schwingbach record: true order of times, conserved sums, units, labels."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.schwingbach import mean_over, read_schwingbach
from crest_data.schwingbach_files import read_weather, schwingbach_folder
from crest_data.solar import toa_radiation

from crest_core import ForcingError

HEADER = "time,rain_mmday,airpressure_hPa,solarrad_Wm2,relhum_perc,airtemp_degC,windspeed_ms,gwhead_m\n"


@pytest.fixture(scope="module")
def daily() -> xr.Dataset:
    return read_schwingbach("1D")


@pytest.fixture(scope="module")
def hourly() -> xr.Dataset:
    return read_schwingbach("1h")


def test_water_is_conserved_from_the_file_to_daily_means(daily, hourly):
    rate = pd.read_csv(schwingbach_folder() / "driver_data_site24.csv", comment="#")["rain_mmday"]
    total = float(rate.sum()) / 24  # mm: each rate holds for one hour
    assert total == pytest.approx(1665.976, abs=0.01)
    assert float(daily.precipitation_flux.sum()) * 86400 == pytest.approx(total, rel=1e-12)
    assert float(hourly.precipitation_flux.sum()) * 3600 == pytest.approx(total, rel=1e-12)


def test_weather_does_not_jump_at_midnight_once_days_and_months_are_put_right(hourly):
    for name in ("air_pressure", "air_temperature"):
        step = np.abs(np.diff(hourly[name].values[:, 0]))
        midnight = step[23::24].mean()
        assert midnight < step.mean() * 1.05

    labelled = pd.read_csv(
        schwingbach_folder() / "driver_data_site24.csv", comment="#", index_col=0, parse_dates=[0]
    ).sort_index()
    pressure = labelled["airpressure_hPa"].diff().abs()
    assert pressure[pressure.index.hour == 0].mean() > 5 * pressure.mean()


def test_groundwater_stays_with_its_labels(hourly):
    head = hourly.groundwater_head.values[:, 0]
    step = np.abs(np.diff(head))
    assert np.nanmean(step[23::24]) < 0.003  # 0.047 m if it were moved along with the weather
    assert int(np.isnan(head).sum()) == 3012


def test_times_are_sorted_gapless_and_labelled_by_their_start(daily, hourly):
    for dataset, step in ((daily, "1D"), (hourly, "1h")):
        assert (np.diff(dataset.time.values) == np.timedelta64(pd.Timedelta(step))).all()
        assert (dataset.time_bnds.values[:, 0] == dataset.time.values).all()
        assert (dataset.time_bnds.values[:, 1] == dataset.time_end.values).all()
    assert str(daily.time.values[0])[:10] == "2014-01-01"
    assert str(daily.time.values[-1])[:10] == "2016-12-31"


def test_known_values_of_the_file_arrive_in_si_units(daily, hourly):
    first = hourly.isel(time=0, cell=0)
    assert float(first.air_temperature) == pytest.approx(0.814583333 + 273.15)
    assert float(first.air_pressure) == pytest.approx(100789.0)
    assert float(first.relative_humidity) == pytest.approx(0.9338333333)
    second_day = hourly.sel(time="2014-01-02T00:00").isel(cell=0)  # labelled 2014-02-01 in the file
    assert float(second_day.air_temperature) == pytest.approx(5.186833333 + 273.15)
    assert daily.soil_moisture.isel(time=0, cell=0).values.tolist() == pytest.approx(
        [0.253, 0.336, 0.344]
    )  # 23:00 of the first day


def test_vapour_pressure_and_deficit_add_up_to_saturation(hourly):
    celsius = hourly.air_temperature - 273.15
    saturation = 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))
    total = hourly.vapour_pressure + hourly.vapour_pressure_deficit
    xr.testing.assert_allclose(total, saturation, rtol=1e-12)


def test_measured_sun_stays_below_the_sun_outside_the_atmosphere(daily):
    assert bool((daily.shortwave_down < daily.shortwave_toa).all())


def test_extremes_of_the_day_are_those_of_its_hours(daily, hourly):
    hours = hourly.air_temperature.values.reshape(-1, 24)
    assert (daily.air_temperature_min.values[:, 0] == hours.min(axis=1)).all()
    assert (daily.air_temperature_max.values[:, 0] == hours.max(axis=1)).all()
    assert daily.air_temperature_max.attrs["cell_methods"] == "time: maximum"


def test_solar_radiation_outside_the_atmosphere_agrees_with_fao_56():
    """FAO-56 example 8: 20 degrees south, 3 September: 32.2 MJ m-2 day-1."""
    hours = pd.date_range("2015-09-03", periods=24, freq="h")
    total = toa_radiation(hours, -20.0, 0.0, utc_offset=0.0).sum() * 3600 / 1e6
    assert total == pytest.approx(32.2, abs=0.15)


def test_forcing_has_no_gap_and_says_that_nothing_was_filled(daily):
    for name in daily.data_vars:
        if name != "groundwater_head":
            assert bool(np.isfinite(daily[name]).all()), name
    assert daily.attrs["filled"] == "nothing"
    assert "swapped" in daily.attrs["repairs"]


def test_every_variable_says_what_it_is(daily):
    for name, variable in daily.data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["cell_methods"].startswith("time: "), name
        assert variable.attrs["long_name"], name
    assert daily.soil_moisture.dims == ("time", "soil_layer", "cell")
    assert daily.depth.values.tolist() == [0.10, 0.25, 0.40]


def test_dataset_survives_netcdf(daily, tmp_path):
    daily.to_netcdf(tmp_path / "day.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "day.nc", engine="h5netcdf") as again:
        xr.testing.assert_allclose(again.load(), daily)


def test_incomplete_intervals_are_nan_unless_asked_otherwise():
    values = np.array([1.0, 2.0, np.nan, 6.0])
    assert np.isnan(mean_over(values, 4, 1.0)[0])
    assert mean_over(values, 4, 0.75).tolist() == [3.0]
    strict = read_schwingbach("1D").groundwater_head
    loose = read_schwingbach("1D", min_valid_fraction=0.5).groundwater_head
    assert int(loose.notnull().sum()) > int(strict.notnull().sum())


def test_a_frequency_that_does_not_divide_a_day_is_an_error():
    with pytest.raises(ForcingError, match="whole hours that divide a day"):
        read_schwingbach("5h")


def test_a_fraction_outside_0_to_1_is_an_error():
    with pytest.raises(ForcingError, match=r"min_valid_fraction 1.5 is not within \(0, 1\]"):
        read_schwingbach(min_valid_fraction=1.5)


def test_a_missing_file_names_the_file_and_the_version_that_has_it(tmp_path):
    with pytest.raises(ForcingError, match=r"driver_data_site24\.csv .* spotpy 1\.6\.7"):
        read_schwingbach(folder=tmp_path)


def test_a_file_with_a_missing_hour_is_refused(tmp_path):
    rows = ["2014-01-01 00:00:00", "2014-01-01 02:00:00"]
    text = HEADER + "".join(f"{row},0,1000,0,90,1,1,238\n" for row in rows)
    (tmp_path / "driver_data_site24.csv").write_text(text)
    with pytest.raises(ForcingError, match="00:00:00 is followed by 2014-01-01 02:00:00"):
        read_weather(tmp_path)


def test_a_file_in_order_is_used_as_it_is(tmp_path):
    rows = ["2014-01-01 00:00:00", "2014-01-01 01:00:00"]
    text = HEADER + "".join(f"{row},0,1000,0,90,1,1,238\n" for row in rows)
    (tmp_path / "driver_data_site24.csv").write_text(text)
    weather, note = read_weather(tmp_path)
    assert len(weather) == 2 and "as they are" in note
