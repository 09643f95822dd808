"""ERA5-Land: sums since midnight become means of each hour, and are not taken for sums of ERA5."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.errors import DataError
from crest_data.readers.era5 import read_era5
from crest_data.readers.era5_land import read_era5_land


@pytest.mark.parametrize("layout", ["old", "new"])
def test_sums_of_era5_land_since_midnight_become_means_of_each_hour(layout, tmp_path, era5):
    times = era5.hours("2020-03-01T01:00", 72)
    data = era5.truth(times)
    sums = {name: era5.since_midnight(data[name], times) for name in ("tp", "ssrd")} | {"t2m": data["t2m"]}
    path = tmp_path / "land.nc"
    era5.write_old(era5.old(times, sums), path) if layout == "old" else era5.write_new(era5.new(times, sums), path)
    held = read_era5_land(path)
    packed = layout == "old"
    np.testing.assert_allclose(
        held["shortwave_down"], era5.on_grid(data["ssrd"]) / 3600.0, atol=0.2 if packed else 1e-3
    )
    np.testing.assert_allclose(held["precipitation"], era5.on_grid(data["tp"]) / 3.6, atol=1e-6 if packed else 1e-8)
    daily = held["precipitation"].sel(time="2020-03-02").sum("time").values * 3.6
    at_midnight = sums["tp"][list(times).index(pd.Timestamp("2020-03-03"))]
    np.testing.assert_allclose(daily, era5.on_grid(at_midnight[None])[0], rtol=1e-2 if packed else 1e-5)
    assert "precipitation: sums since 00 UTC -> sums of the hour" in held.attrs["changes"]
    assert held.attrs["source"] == "ERA5-Land, ECMWF"


def test_an_hour_whose_sum_is_not_known_is_missing(tmp_path, era5):
    times = era5.hours("2020-03-01T00:00", 30).delete([10, 11])
    data = era5.truth(era5.hours("2020-03-01T00:00", 30))
    sums = era5.since_midnight(data["tp"], era5.hours("2020-03-01T00:00", 30))[np.r_[0:10, 12:30]]
    held = read_era5_land(era5.write_new(era5.new(times, {"tp": sums}), tmp_path / "land.nc"))
    missing = held["precipitation"].isnull().all(("y", "x")).values
    assert np.flatnonzero(missing).tolist() == [0, 10]
    assert (held["precipitation_quality"].values[[0, 10]] == 1).all() and held["precipitation_quality"].sum() == 24
    assert "precipitation: 2 hours after a gap or the start -> missing, their sum is not known" in held.attrs["changes"]
    assert held.attrs["gaps"].startswith("1 gaps, 2 steps absent")


def test_the_hour_before_midnight_needs_the_file_before(tmp_path, era5):
    times = era5.hours("2020-02-28T01:00", 48)
    sums = era5.since_midnight(era5.truth(times)["tp"], times)
    paths = [
        era5.write_new(era5.new(times[part], {"tp": sums[part]}), tmp_path / f"{part.start}.nc")
        for part in (slice(0, 23), slice(23, 48))
    ]
    assert not read_era5_land(paths)["precipitation"].isnull().any()
    assert read_era5_land(paths[1])["precipitation"].isnull().sum() == 12


def test_era5_read_as_era5_land_is_noticed(tmp_path, era5):
    path = era5.write_new(era5.new(era5.hours(), era5.truth(era5.hours())), tmp_path / "era5.nc")
    with pytest.raises(DataError, match="since 00 UTC falls by .* within a day; sums of ERA5 are of one hour each"):
        read_era5_land(path, ["ssrd"])


def test_era5_land_read_as_era5_is_noticed_by_its_radiation(tmp_path, era5):
    times = era5.hours("2020-03-01T01:00")
    sums = {"ssrd": era5.since_midnight(era5.truth(times)["ssrd"], times)}
    path = era5.write_new(era5.new(times, sums), tmp_path / "land.nc")
    with pytest.raises(DataError, match=r"shortwave_down: the sums rise through the day .* read_era5_land"):
        read_era5(path)


def test_evaporation_of_the_land_is_turned_after_its_sums_are_parted(tmp_path, era5):
    times = era5.hours("2020-03-01T01:00", 24)
    path = era5.write_new(
        era5.new(times, {"e": era5.since_midnight(np.full((24, *era5.SHAPE), -1e-4), times)}), tmp_path / "land.nc"
    )
    np.testing.assert_allclose(read_era5_land(path)["evaporation"], 1e-4 * 1000.0 / 3600.0, rtol=1e-4)


@pytest.mark.parametrize(("days", "chunks"), [(3, None), (3, {"time": 24}), (1, None)])
def test_era5_land_read_as_era5_is_noticed_by_sums_that_fall_at_one_o_clock_alone(tmp_path, era5, days, chunks):
    times = era5.hours("2020-03-01T01:00", 24 * days + 2)
    rain = era5.truth(times)["tp"]
    rain[5:8] = 0.0  # the sum stands still
    path = era5.write_new(era5.new(times, {"tp": era5.since_midnight(rain, times)}), tmp_path / "land.nc")
    with pytest.raises(DataError, match="fall at 01 UTC alone: they are sums since 00 UTC.* read_era5_land"):
        read_era5(path, ["tp"], chunks=chunks)
    assert read_era5(era5.write_new(era5.new(times, {"tp": rain}), tmp_path / "era5.nc"), ["tp"]).sizes["time"] > 2


def lone_hours(days):
    """Return sums of single hours in one cell, of which none falls within a day."""
    sums = np.zeros(24 * days)
    sums[[22, 23]] = 1e-4
    sums[23 + 72] = 1e-4
    return sums


@pytest.mark.parametrize(
    ("sums", "keep", "sampled"),
    [
        (lone_hours(10), slice(None), False),
        (np.where(np.arange(240) % 24 == 12, 1.8e6, 0.0), slice(0, None, 12), True),
        (np.zeros(240), slice(None), False),
    ],
    ids=["lone wet hours before midnight", "sampled at 01 and 13 UTC", "dry"],
)
def test_sums_of_the_hour_that_never_fall_within_a_day_are_taken(tmp_path, sums, keep, sampled):
    times = pd.date_range("2020-03-01T01:00", periods=240, freq="h")[keep]
    name, units = ("ssrd", "J m-2") if sampled else ("tp", "m")
    values = sums[keep].reshape(-1, 1, 1)
    coords = {"valid_time": times, "latitude": [50.0], "longitude": [10.0]}
    dims = ("valid_time", "latitude", "longitude")
    xr.Dataset({name: (dims, values, {"units": units})}, coords).to_netcdf(tmp_path / "point.nc")
    held = read_era5(tmp_path / "point.nc", sampled=sampled)
    scale = 1 / 3600 if sampled else 1 / 3.6
    found = held["shortwave_down" if sampled else "precipitation"].values.ravel()
    np.testing.assert_allclose(found, values.ravel() * scale, atol=1e-12)


@pytest.mark.parametrize("read", [read_era5, read_era5_land])
def test_accumulations_of_another_calendar_are_read(tmp_path, read):
    times = xr.date_range("2020-02-28T01:00", periods=48, freq="h", calendar="noleap", use_cftime=True)
    values = np.tile(np.arange(24.0, 0.0, -1.0) if read is read_era5 else np.arange(1.0, 25.0), 2) * 1e-4
    coords = {"valid_time": times, "latitude": [50.0], "longitude": [10.0]}
    dims = ("valid_time", "latitude", "longitude")
    xr.Dataset({"tp": (dims, values.reshape(-1, 1, 1), {"units": "m"})}, coords).to_netcdf(tmp_path / "noleap.nc")
    held = read(tmp_path / "noleap.nc", ["tp"])["precipitation"].values.ravel()
    expected = values if read is read_era5 else np.full(48, 1e-4)
    np.testing.assert_allclose(held, expected / 3.6, rtol=1e-9)
