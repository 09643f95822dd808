"""ERA5 of both layouts of the Climate Data Store, in the convention."""

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


@pytest.mark.parametrize("layout", ["old", "new"])
def test_accumulations_become_means_of_the_hour_before(layout, tmp_path, era5):
    times = era5.hours("2020-03-01T00:00")
    data = era5.truth(times)
    path = tmp_path / "era5.nc"
    era5.write_old(era5.old(times, data), path) if layout == "old" else era5.write_new(era5.new(times, data), path)
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
    np.testing.assert_allclose(
        held["shortwave_down"], era5.on_grid(data["ssrd"]) / 3600.0, atol=0.02 if packed else 1e-4
    )
    np.testing.assert_allclose(
        held["precipitation"], era5.on_grid(data["tp"]) / 3.6, atol=1e-7 if packed else 1e-9, rtol=1e-4
    )
    np.testing.assert_allclose(held["air_temperature"], era5.on_grid(data["t2m"]), atol=1e-3 if packed else 1e-4)
    assert (
        held["shortwave_down"].attrs["units"] == "W m-2"
        and held["shortwave_down"].attrs["cell_methods"] == "time: mean"
    )
    assert held["precipitation"].attrs["standard_name"] == "precipitation_flux"
    assert held["air_temperature"].attrs["cell_methods"] == "time: point"
    assert float(held["precipitation"].min()) >= 0.0


def test_the_old_layout_tells_that_it_was_unpacked_and_cleaned(tmp_path, era5):
    times = era5.hours()
    held = read_era5(era5.write_old(era5.old(times, era5.truth(times)), tmp_path / "era5.nc"))
    changes = held.attrs["changes"]
    assert "air_temperature: unpacked from int16, x " in changes
    assert "time: label end -> start of the interval, 1:00:00 earlier" in changes
    assert "shortwave_down: J m-2 -> W m-2 (/ 3600), the sum over 3600 s -> mean" in changes
    assert held.attrs["licence"] == "CC-BY-4.0" and "Hersbach" in held.attrs["citation"]


def test_traces_of_packing_below_zero_become_zero_and_are_counted(tmp_path, era5):
    data = {"tp": era5.truth(era5.hours())["tp"]}
    data["tp"][5] = -5e-10
    held = read_era5(era5.write_new(era5.new(era5.hours(), data), tmp_path / "era5.nc"))
    assert float(held["precipitation"].min()) == 0.0
    assert "precipitation: 12 values from -1e-09 to 0 -> 0, traces of packing" in held.attrs["changes"]
    data["tp"][5] = -1e-3
    with pytest.raises(DataError, match=r"precipitation: -0.001 m at index .* expected finite values within \[0, 1\]"):
        read_era5(era5.write_new(era5.new(era5.hours(), data), tmp_path / "wrong.nc"))


def test_final_and_preliminary_versions_are_merged_where_they_do_not_overlap(tmp_path, era5):
    times = era5.hours()
    data = era5.truth(times)
    whole = read_era5(era5.write_new(era5.old(times, data), tmp_path / "whole.nc"))
    parts = read_era5(era5.write_new(era5.old(times, data, expver=20), tmp_path / "parts.nc"))
    xr.testing.assert_equal(parts, whole)
    assert "expver: versions merged, times: 20 of 1, 28 of 5 (5 is preliminary, ERA5T)" in parts.attrs["changes"]


def test_preliminary_times_of_the_new_layout_are_counted(tmp_path, era5):
    times = era5.hours()
    versions = np.where(np.arange(48) < 40, "0001", "0005")
    held = read_era5(era5.write_new(era5.new(times, era5.truth(times), versions), tmp_path / "era5.nc"))
    assert "expver: 8 of 48 times are preliminary (ERA5T)" in held.attrs["changes"]
    assert "expver" not in held.variables and "number" not in held.variables


def test_files_of_several_variables_and_months_are_put_together(tmp_path, era5):
    times, data = era5.hours(), era5.truth(era5.hours())
    instant, summed = {"t2m": data["t2m"]}, {name: data[name] for name in ("tp", "ssrd")}
    paths = []
    for name, part in (("later", slice(24, 48)), ("earlier", slice(0, 24))):
        for kind, group in (("instant", instant), ("accum", summed)):
            some = {short: values[part] for short, values in group.items()}
            paths.append(era5.write_new(era5.new(times[part], some), tmp_path / f"{name}-{kind}.nc"))
    whole = era5.write_new(era5.new(times, data), tmp_path / "whole.nc")
    xr.testing.assert_equal(read_era5(paths), read_era5(whole))


def test_lazily_gives_the_same_as_in_memory(tmp_path, era5):
    path = era5.write_new(era5.new(era5.hours(), era5.truth(era5.hours())), tmp_path / "era5.nc")
    for read in (read_era5, lambda path, **kw: read_era5_land(path, ["t2m"], **kw)):
        lazy = read(path, chunks={})
        assert lazy["air_temperature"].chunks is not None
        xr.testing.assert_equal(lazy.load(), read(path))


@pytest.mark.parametrize(("name", "ours"), [("e", "evaporation"), ("pev", "potential_evaporation")])
def test_evaporation_is_turned_positive_upward_and_the_change_told(name, ours, tmp_path, era5):
    data = {name: np.full((48, *era5.SHAPE), -1e-4), "sd": np.full((48, *era5.SHAPE), 0.1)}
    path = era5.write_new(era5.new(era5.hours(), data), tmp_path / "era5.nc")
    held = read_era5(path)
    assert held[ours].attrs["positive"] == "up"
    np.testing.assert_allclose(held[ours], 1e-4 * 1000.0 / 3600.0, rtol=1e-6)
    assert f"{ours}: sign turned, positive down -> positive up" in held.attrs["changes"]
    np.testing.assert_allclose(held["snow_water"], 100.0, rtol=1e-6)
    assert held["snow_water"].attrs["units"] == "kg m-2"
    own = Variable(ours, "m", cell_methods="time: sum", to_units="kg m-2 s-1", positive="down")
    assert float(read_era5(path, {name: own})[ours].max()) < 0.0


def test_members_of_an_ensemble_are_a_dim(tmp_path, era5):
    raw = era5.new(era5.hours(), era5.truth(era5.hours())).drop_vars("number")
    members = xr.concat([raw, raw + 1.0], dim=pd.Index([0, 1], name="number"))
    for name in raw.data_vars:
        members[name].attrs = raw[name].attrs
    held = read_era5(era5.write_new(members, tmp_path / "era5.nc"), ["t2m"])
    assert held["air_temperature"].dims == ("time", "member", "y", "x")


def test_only_what_is_known_or_given_is_read_and_the_rest_is_named(tmp_path, era5):
    raw = era5.new(era5.hours(), era5.truth(era5.hours())).rename(ssrd="p99")
    path = era5.write_new(raw, tmp_path / "era5.nc")
    assert "not read: p99" in read_era5(path).attrs["changes"]
    given = Variable("sun", "J m-2", to_units="W m-2", cell_methods="time: sum")
    assert list(read_era5(path, {"p99": given}).data_vars) == ["sun"]


def test_chosen_hours_are_read_if_said(tmp_path, era5):
    path = era5.write_new(
        era5.new(era5.hours(), era5.truth(era5.hours())).isel(valid_time=slice(0, 48, 12)), tmp_path / "era5.nc"
    )
    held = read_era5(path, sampled=True)
    assert held.sizes["time"] == 4 and held.attrs["gaps"].startswith("3 gaps, 33 steps absent")


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
