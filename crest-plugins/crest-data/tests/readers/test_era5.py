"""ERA5 and ERA5-Land in the layouts of the old and the new Climate Data Store, written here as they are served."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.era5 import read_era5
from crest_data.readers.era5_land import read_era5_land
from crest_data.variable import Variable

LAT, LON = [51.0, 50.75, 50.5], [359.5, 359.75, 0.0, 0.25]
SHAPE = (3, 4)
NAMES = {"t2m": "2 metre temperature", "tp": "Total precipitation", "ssrd": "Surface solar radiation downwards"}
UNITS = {"t2m": "K", "tp": "m", "ssrd": "J m**-2", "sd": "m of water equivalent", "e": "m of water equivalent",
         "pev": "m"}  # fmt: skip


def hours(start="2020-03-01T00:00", periods=48):
    return pd.date_range(start, periods=periods, freq="1h", unit="ns")


def truth(times, seed=3):
    """Return mean fluxes of the hour that ends at each time, and the temperature at it."""
    draw = np.random.default_rng(seed)
    sun = np.clip(np.sin((times.hour.to_numpy() - 6) / 12 * np.pi), 0, None) * 600.0
    return {
        "t2m": 280.0 + draw.normal(0, 3, (len(times), *SHAPE)),
        "tp": draw.gamma(0.1, 0.003, (len(times), *SHAPE)),  # m in the hour
        "ssrd": sun[:, None, None] * 3600.0 * np.ones(SHAPE),  # J m-2 in the hour
    }


def since_midnight(values, times):
    """Return sums since 00 UTC; the value at 00 is that of the whole day before."""
    total, running = np.empty_like(values), np.zeros(SHAPE)
    for i, time in enumerate(times):
        running = values[i] if time.hour == 1 else running + values[i]
        total[i] = running
    return total


def old(times, data, expver=None):
    """Return the layout of the Climate Data Store until 2024: time, short names, packed integers."""
    dims = ("time", "latitude", "longitude")
    held = {
        name: (dims, values.astype("f4"), {"units": UNITS[name], "long_name": NAMES.get(name, name)})
        for name, values in data.items()
    }
    raw = xr.Dataset(held, {"time": times, "latitude": np.float32(LAT), "longitude": np.float32(LON)})
    raw["latitude"].attrs = {"units": "degrees_north", "long_name": "latitude"}
    raw["longitude"].attrs = {"units": "degrees_east", "long_name": "longitude"}
    if expver is not None:
        final = xr.DataArray(np.arange(len(times)) < expver, dims="time")
        raw = xr.concat([raw.where(final), raw.where(~final)], dim=pd.Index([1, 5], name="expver"))
    return raw


def write_old(raw, path):
    packing = {}
    for name, values in raw.data_vars.items():
        low, high = float(values.min()), float(values.max())
        packing[name] = {
            "dtype": "int16", "scale_factor": (high - low) / 65530 or 1.0, "add_offset": (high + low) / 2,
            "_FillValue": np.int16(-32767), "missing_value": np.int16(-32767),
        }  # fmt: skip
    raw.to_netcdf(path, engine="netcdf4", format="NETCDF3_64BIT", encoding=packing | {"time": {"dtype": "i4"}})
    return path


def new(times, data, versions="0001", kind=None):
    """Return the layout since 2024: valid_time, number, expver along valid_time, stepType in the attributes."""
    dims = ("valid_time", "latitude", "longitude")
    held = {
        name: (
            dims,
            values.astype("f4"),
            {"units": UNITS[name], "GRIB_stepType": kind or _kind(name), "GRIB_shortName": name},
        )
        for name, values in data.items()
    }
    expver = np.broadcast_to(versions, len(times)).astype("<U4")
    coords = {"valid_time": times, "latitude": LAT, "longitude": LON, "number": 0, "expver": ("valid_time", expver)}
    return xr.Dataset(held, coords, {"GRIB_centre": "ecmf"})


def _kind(name):
    return "instant" if name in ("t2m", "sd") else "accum"


def write_new(raw, path):
    raw.to_netcdf(path, engine="h5netcdf", encoding={name: {"zlib": True} for name in raw.data_vars})
    return path


def on_grid(values):
    """Return values of the file (latitude descending, longitudes from 0) as they stand in the convention."""
    return values[:, ::-1, :]  # 359.5, 359.75, 0, 0.25 become -0.5, -0.25, 0, 0.25: the same order


@pytest.mark.parametrize("layout", ["old", "new"])
def test_accumulations_become_means_of_the_hour_before(layout, tmp_path):
    times = hours("2020-03-01T00:00")
    data = truth(times)
    path = tmp_path / "era5.nc"
    write_old(old(times, data), path) if layout == "old" else write_new(new(times, data), path)
    held = read_era5(path)
    check_convention(held)
    assert held["time"].values[0] == np.datetime64("2020-02-29T23:00")
    assert held["lat"].values.tolist() == [50.5, 50.75, 51.0] and held["lon"].values.tolist() == [
        -0.5,
        -0.25,
        0.0,
        0.25,
    ]
    packed = layout == "old"
    np.testing.assert_allclose(held["shortwave_down"], on_grid(data["ssrd"]) / 3600.0, atol=0.02 if packed else 1e-4)
    np.testing.assert_allclose(
        held["precipitation"], on_grid(data["tp"]) / 3.6, atol=1e-7 if packed else 1e-9, rtol=1e-4
    )
    np.testing.assert_allclose(held["air_temperature"], on_grid(data["t2m"]), atol=1e-3 if packed else 1e-4)
    assert (
        held["shortwave_down"].attrs["units"] == "W m-2"
        and held["shortwave_down"].attrs["cell_methods"] == "time: mean"
    )
    assert held["precipitation"].attrs["standard_name"] == "precipitation_flux"
    assert held["air_temperature"].attrs["cell_methods"] == "time: point"
    assert float(held["precipitation"].min()) >= 0.0


def test_the_old_layout_tells_that_it_was_unpacked_and_cleaned(tmp_path):
    times = hours()
    held = read_era5(write_old(old(times, truth(times)), tmp_path / "era5.nc"))
    changes = held.attrs["changes"]
    assert "air_temperature: unpacked from int16, x " in changes
    assert "time: label end -> start of the interval, 1:00:00 earlier" in changes
    assert "shortwave_down: J m-2 -> W m-2 (/ 3600), the sum over 3600 s -> mean" in changes
    assert held.attrs["licence"] == "CC-BY-4.0" and "Hersbach" in held.attrs["citation"]


def test_traces_of_packing_below_zero_become_zero_and_are_counted(tmp_path):
    data = {"tp": truth(hours())["tp"]}
    data["tp"][5] = -5e-10
    held = read_era5(write_new(new(hours(), data), tmp_path / "era5.nc"))
    assert float(held["precipitation"].min()) == 0.0
    assert "precipitation: 12 values from -1e-09 to 0 -> 0, traces of packing" in held.attrs["changes"]
    data["tp"][5] = -1e-3
    with pytest.raises(DataError, match=r"precipitation: -0.001 m at index .* expected finite values within \[0, 1\]"):
        read_era5(write_new(new(hours(), data), tmp_path / "wrong.nc"))


def test_final_and_preliminary_versions_are_merged_where_they_do_not_overlap(tmp_path):
    times = hours()
    data = truth(times)
    whole = read_era5(write_new(old(times, data), tmp_path / "whole.nc"))
    parts = read_era5(write_new(old(times, data, expver=20), tmp_path / "parts.nc"))
    xr.testing.assert_equal(parts, whole)
    assert "expver: versions merged, times: 20 of 1, 28 of 5 (5 is preliminary, ERA5T)" in parts.attrs["changes"]


def test_versions_that_overlap_are_refused(tmp_path):
    raw = old(hours(), truth(hours()), expver=20)
    raw["t2m"].loc[{"expver": 5, "time": hours()[3]}] = 1.0
    path = write_new(raw, tmp_path / "era5.nc")
    with pytest.raises(
        DataError, match=r"expver: at 2020-03-01T03:00.* the versions 1, 5 all hold values \(1 such times\)"
    ):
        read_era5(path)


def test_preliminary_times_of_the_new_layout_are_counted(tmp_path):
    times = hours()
    versions = np.where(np.arange(48) < 40, "0001", "0005")
    held = read_era5(write_new(new(times, truth(times), versions), tmp_path / "era5.nc"))
    assert "expver: 8 of 48 times are preliminary (ERA5T)" in held.attrs["changes"]
    assert "expver" not in held.variables and "number" not in held.variables


def test_files_of_several_variables_and_months_are_put_together(tmp_path):
    times, data = hours(), truth(hours())
    instant, summed = {"t2m": data["t2m"]}, {name: data[name] for name in ("tp", "ssrd")}
    paths = []
    for name, part in (("later", slice(24, 48)), ("earlier", slice(0, 24))):
        for kind, group in (("instant", instant), ("accum", summed)):
            some = {short: values[part] for short, values in group.items()}
            paths.append(write_new(new(times[part], some), tmp_path / f"{name}-{kind}.nc"))
    whole = write_new(new(times, data), tmp_path / "whole.nc")
    xr.testing.assert_equal(read_era5(paths), read_era5(whole))


def test_lazily_gives_the_same_as_in_memory(tmp_path):
    path = write_new(new(hours(), truth(hours())), tmp_path / "era5.nc")
    for read in (read_era5, lambda path, **kw: read_era5_land(path, ["t2m"], **kw)):
        lazy = read(path, chunks={})
        assert lazy["air_temperature"].chunks is not None
        xr.testing.assert_equal(lazy.load(), read(path))


@pytest.mark.parametrize("layout", ["old", "new"])
def test_sums_of_era5_land_since_midnight_become_means_of_each_hour(layout, tmp_path):
    times = hours("2020-03-01T01:00", 72)
    data = truth(times)
    sums = {name: since_midnight(data[name], times) for name in ("tp", "ssrd")} | {"t2m": data["t2m"]}
    path = tmp_path / "land.nc"
    write_old(old(times, sums), path) if layout == "old" else write_new(new(times, sums), path)
    held = read_era5_land(path)
    packed = layout == "old"
    np.testing.assert_allclose(held["shortwave_down"], on_grid(data["ssrd"]) / 3600.0, atol=0.2 if packed else 1e-3)
    np.testing.assert_allclose(held["precipitation"], on_grid(data["tp"]) / 3.6, atol=1e-6 if packed else 1e-8)
    daily = held["precipitation"].sel(time="2020-03-02").sum("time").values * 3.6
    at_midnight = sums["tp"][list(times).index(pd.Timestamp("2020-03-03"))]
    np.testing.assert_allclose(daily, on_grid(at_midnight[None])[0], rtol=1e-2 if packed else 1e-5)
    assert "precipitation: sums since 00 UTC -> sums of the hour" in held.attrs["changes"]
    assert held.attrs["source"] == "ERA5-Land, ECMWF"


def test_an_hour_whose_sum_is_not_known_is_missing(tmp_path):
    times = hours("2020-03-01T00:00", 30).delete([10, 11])
    data = truth(hours("2020-03-01T00:00", 30))
    sums = since_midnight(data["tp"], hours("2020-03-01T00:00", 30))[np.r_[0:10, 12:30]]
    held = read_era5_land(write_new(new(times, {"tp": sums}), tmp_path / "land.nc"))
    missing = held["precipitation"].isnull().all(("y", "x")).values
    assert np.flatnonzero(missing).tolist() == [0, 10]
    assert (held["precipitation_quality"].values[[0, 10]] == 1).all() and held["precipitation_quality"].sum() == 24
    assert "precipitation: 2 hours after a gap or the start -> missing, their sum is not known" in held.attrs["changes"]
    assert held.attrs["gaps"].startswith("1 gaps, 2 steps absent")


def test_the_hour_before_midnight_needs_the_file_before(tmp_path):
    times = hours("2020-02-28T01:00", 48)
    sums = since_midnight(truth(times)["tp"], times)
    paths = [
        write_new(new(times[part], {"tp": sums[part]}), tmp_path / f"{part.start}.nc")
        for part in (slice(0, 23), slice(23, 48))
    ]
    assert not read_era5_land(paths)["precipitation"].isnull().any()
    assert read_era5_land(paths[1])["precipitation"].isnull().sum() == 12


def test_era5_read_as_era5_land_is_noticed(tmp_path):
    path = write_new(new(hours(), truth(hours())), tmp_path / "era5.nc")
    with pytest.raises(DataError, match="since 00 UTC falls by .* within a day; sums of ERA5 are of one hour each"):
        read_era5_land(path, ["ssrd"])


def test_era5_land_read_as_era5_is_noticed_by_its_radiation(tmp_path):
    times = hours("2020-03-01T01:00")
    sums = {"ssrd": since_midnight(truth(times)["ssrd"], times)}
    path = write_new(new(times, sums), tmp_path / "land.nc")
    with pytest.raises(
        DataError, match=r"shortwave_down: .* J m-2 at index .* expected finite values within \[0, 1600\] W m-2"
    ):
        read_era5(path)


@pytest.mark.parametrize(("name", "ours"), [("e", "evaporation"), ("pev", "potential_evaporation")])
def test_evaporation_is_turned_positive_upward_and_the_change_told(name, ours, tmp_path):
    data = {name: np.full((48, *SHAPE), -1e-4), "sd": np.full((48, *SHAPE), 0.1)}
    path = write_new(new(hours(), data), tmp_path / "era5.nc")
    held = read_era5(path)
    assert held[ours].attrs["positive"] == "up"
    np.testing.assert_allclose(held[ours], 1e-4 * 1000.0 / 3600.0, rtol=1e-6)
    assert f"{ours}: sign turned, positive down -> positive up" in held.attrs["changes"]
    np.testing.assert_allclose(held["snow_water"], 100.0, rtol=1e-6)
    assert held["snow_water"].attrs["units"] == "kg m-2"
    own = Variable(ours, "m", cell_methods="time: sum", to_units="kg m-2 s-1", positive="down")
    assert float(read_era5(path, {name: own})[ours].max()) < 0.0


def test_evaporation_of_the_land_is_turned_after_its_sums_are_parted(tmp_path):
    times = hours("2020-03-01T01:00", 24)
    path = write_new(new(times, {"e": since_midnight(np.full((24, *SHAPE), -1e-4), times)}), tmp_path / "land.nc")
    np.testing.assert_allclose(read_era5_land(path)["evaporation"], 1e-4 * 1000.0 / 3600.0, rtol=1e-4)


def test_members_of_an_ensemble_are_a_dim(tmp_path):
    raw = new(hours(), truth(hours())).drop_vars("number")
    members = xr.concat([raw, raw + 1.0], dim=pd.Index([0, 1], name="number"))
    for name in raw.data_vars:
        members[name].attrs = raw[name].attrs
    held = read_era5(write_new(members, tmp_path / "era5.nc"), ["t2m"])
    assert held["air_temperature"].dims == ("time", "member", "y", "x")


def test_only_what_is_known_or_given_is_read_and_the_rest_is_named(tmp_path):
    raw = new(hours(), truth(hours())).rename(ssrd="p99")
    path = write_new(raw, tmp_path / "era5.nc")
    assert "not read: p99" in read_era5(path).attrs["changes"]
    given = Variable("sun", "J m-2", to_units="W m-2", cell_methods="time: sum")
    assert list(read_era5(path, {"p99": given}).data_vars) == ["sun"]


def monthly():
    times = pd.date_range("2020-01-01", periods=4, freq="MS", unit="ns")
    return new(times, {name: values[:4] for name, values in truth(hours()).items()})


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (monthly, {}, "times are a month apart: monthly means are not read here; use read_netcdf"),
        (lambda: new(hours(), truth(hours()), kind="avgua"), {}, "t2m is a monthly mean; read hourly or daily data"),
        (
            lambda: new(hours(), truth(hours())).isel(valid_time=slice(0, 48, 12)),
            {},
            "times are 720 minutes apart, expected 60",
        ),
        (
            lambda: new(hours(), truth(hours()), kind="instant"),
            {},
            "tp: the file says stepType 'instant', expected 'time: sum'",
        ),
        (
            lambda: new(hours(), truth(hours())),
            {"variables": ["t2n"]},
            "the short names ['t2n'] are not known; did you mean",
        ),
        (
            lambda: new(hours(), truth(hours())),
            {"variables": ["sd"]},
            "the files hold none of sd; check what was downloaded",
        ),
        (lambda: new(hours(), truth(hours())), {"variables": "t2m"}, "variables 't2m': expected a list of short names"),
        (lambda: new(hours(), truth(hours())), {"step": "1 month"}, "step: timestep '1 month' is not a whole number"),
        (lambda: new(hours(), truth(hours())), {"max_bytes": 1000}, "GiB in memory (t2m: (48, 3, 4)), the limit is"),
        (lambda: new(hours(), truth(hours())).rename(valid_time="when"), {}, "expected a dim time or valid_time, got"),
    ],
)
def test_what_is_no_hourly_era5_is_refused(make, arguments, said, tmp_path):
    path = write_new(make(), tmp_path / "era5.nc")
    with pytest.raises(DataError) as caught:
        read_era5(path, **arguments)
    assert said in str(caught.value)


def test_chosen_hours_are_read_if_said(tmp_path):
    path = write_new(new(hours(), truth(hours())).isel(valid_time=slice(0, 48, 12)), tmp_path / "era5.nc")
    held = read_era5(path, sampled=True)
    assert held.sizes["time"] == 4 and held.attrs["gaps"].startswith("3 gaps, 33 steps absent")


def test_files_that_overlap_or_lie_on_two_grids_are_refused(tmp_path):
    times, data = hours(), truth(hours())
    first = write_new(new(times, data), tmp_path / "a.nc")
    with pytest.raises(DataError, match="files overlap in time: one ends at 2020-03-02T23:00"):
        read_era5([first, first])
    other = new(times + pd.Timedelta("2D"), data).assign_coords(latitude=[61.0, 60.75, 60.5])
    with pytest.raises(DataError, match="files are not on one grid: their values of latitude differ"):
        read_era5([first, write_new(other, tmp_path / "b.nc")])
    with pytest.raises(DataError, match="no files given"):
        read_era5([])


def test_a_zip_of_the_store_is_to_be_unpacked(tmp_path):
    (tmp_path / "download.nc").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(
        DataError, match="expected netCDF-4 or netCDF-3 or GRIB, its first bytes say zip; unpack it first"
    ):
        read_era5(tmp_path / "download.nc")


def test_hourly_temperature_of_the_united_kingdom_in_grib():
    folder = os.environ.get("CREST_DATA_DIR")
    if not folder:
        pytest.skip("CREST_DATA_DIR is not set: the folder of real data")
    held = read_era5(Path(folder) / "era5_small" / "era5-2mt-2019-03-uk.grib")
    check_convention(held)
    assert dict(held["air_temperature"].sizes) == {"time": 744, "y": 33, "x": 49}
    assert held["time"].values[0] == np.datetime64("2019-02-28T23:00")
    london = held["air_temperature"].isel(y=int(np.argmin(abs(held["lat"].values - 51.5))), x=40)
    cycle = [float(london[hour::24].mean()) for hour in range(24)]
    assert 277.0 < np.mean(cycle) < 287.0
    assert 12 <= int(np.argmax(cycle)) + 1 <= 16  # warmest in the afternoon: times are not shifted
