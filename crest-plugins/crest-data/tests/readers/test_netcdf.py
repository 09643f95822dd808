"""netCDF by CF attributes: taken as they are, checked, nothing guessed; written files come back."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention, conform
from crest_data.errors import DataError
from crest_data.readers.netcdf import read_netcdf
from crest_data.variable import Variable

DAYS = np.arange("2001-01-01", "2001-01-06", dtype="datetime64[D]").astype("datetime64[ns]")
TAS = {"units": "K", "standard_name": "air_temperature", "cell_methods": "time: mean", "long_name": "warmth"}


def dataset(attributes=TAS, values=None, dims=("time", "lat", "lon")):
    values = 280.0 + np.arange(30.0).reshape(5, 3, 2) if values is None else values
    coords = {"time": DAYS, "lat": [52.0, 51.0, 50.0], "lon": [8.0, 350.0]}
    edges = np.stack([DAYS, DAYS + np.timedelta64(1, "D")], axis=1)
    held = xr.Dataset({"TAS": (dims, values, attributes), "time_bnds": (("time", "bnds"), edges)}, coords)
    held["time"].attrs["bounds"] = "time_bnds"
    held["time"].encoding["units"] = "hours since 2001-01-01"
    return held.assign_attrs(title="made by a test", license="CC0", references="none")


def written(held, tmp_path, encoding=None):
    held.to_netcdf(tmp_path / "data.nc", engine="netcdf4", encoding=encoding)
    return tmp_path / "data.nc"


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_64BIT"])
def test_attributes_are_taken_as_they_are(kind, tmp_path):
    path = tmp_path / "data.nc"
    dataset().to_netcdf(path, engine="netcdf4", format=kind)
    held = read_netcdf(path)
    assert held["tas"].attrs == TAS
    assert held["tas"].dims == ("time", "y", "x") and held["lat"].values.tolist() == [50.0, 51.0, 52.0]
    assert held["tas"].isel(time=0).values.tolist() == [[285.0, 284.0], [283.0, 282.0], [281.0, 280.0]]
    assert held.attrs["source"] == "data.nc: made by a test" and held.attrs["licence"] == "CC0"
    assert "lon: 1 values moved to [-180, 180)" in held.attrs["changes"]


def test_lazily_gives_the_same_as_in_memory(tmp_path):
    path = written(dataset(), tmp_path)
    lazy = read_netcdf(path, chunks={"time": 2})
    assert lazy["tas"].chunks is not None
    told = [line for line in lazy.attrs["changes"].split("\n") if "read lazily, not searched" not in line]
    xr.testing.assert_identical(lazy.load().assign_attrs(changes="\n".join(told)), read_netcdf(path))


def test_packed_integers_are_unpacked_and_fill_values_become_missing(tmp_path):
    values = 280.0 + np.arange(30.0).reshape(5, 3, 2)
    values[0, 0, 0] = np.nan
    packing = {"TAS": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32767}}
    held = read_netcdf(written(dataset(values=values), tmp_path, packing))
    np.testing.assert_allclose(held["tas"].sel(y=2, x=1).values[1:], values[1:, 0, 0], atol=0.005)
    assert held["tas_quality"].values.sum() == 1 and int(held["tas_quality"][0, 2, 1]) == 1
    lines = held.attrs["changes"].splitlines()
    assert lines[:2] == ["tas: unpacked from int16, x 0.01 + 273.15", "tas: -32767 -> missing"]


def test_what_was_conformed_comes_back_with_its_quality_and_its_history(tmp_path):
    rain = Variable("tas", "K", bounds=(0.0, 300.0), reject=True)
    once = conform(dataset(), {"TAS": rain}, step="1D", source="x", time_zone="local days")
    once.to_netcdf(tmp_path / "held.nc", engine="netcdf4", encoding={"tas": {"_FillValue": -1.0}})
    assert 2 in once["tas_quality"]
    again = read_netcdf(tmp_path / "held.nc")
    xr.testing.assert_equal(again, once)
    assert again.attrs["time_zone"] == "local days"
    assert again.attrs["changes"].startswith(once.attrs["changes"])


def test_times_without_bounds_need_a_step(tmp_path):
    held = dataset().drop_vars("time_bnds")
    held["time"].attrs = {}
    path = written(held, tmp_path)
    with pytest.raises(DataError, match="tas: 'time: mean' without time bounds"):
        read_netcdf(path)
    assert read_netcdf(path, step="1D")["time_bnds"].shape == (5, 2)


def test_only_what_was_asked_for_is_read_and_the_rest_is_named(tmp_path):
    more = dataset().assign(crs=0, kind=(("lat", "lon"), np.full((3, 2), "land")), PR=dataset()["TAS"])
    path = written(more, tmp_path)
    assert list(read_netcdf(path, ["PR"]).data_vars) == ["pr"]
    everything = read_netcdf(path)
    assert list(everything.data_vars) == ["tas", "pr"]
    assert "not read: crs, kind" in everything.attrs["changes"]


def test_a_variable_given_overrules_units_that_mean_nothing(tmp_path):
    path = written(dataset({**TAS, "units": "C"}), tmp_path)
    held = read_netcdf(path, {"TAS": Variable("warmth", "degC", to_units="K")})
    assert float(held["warmth"].max()) == 309.0 + 273.15
    assert "warmth: the source's units 'C' read as 'degC'" in held.attrs["changes"]


def without(key):
    return {name: text for name, text in TAS.items() if name != key}


@pytest.mark.parametrize(
    ("held", "arguments", "said"),
    [
        (dataset(without("units")), {}, "TAS has no units; give a Variable for it, {'TAS': Variable(name, units)}"),
        (
            dataset(TAS | {"units": "C"}),
            {},
            "units 'C': 'C' is ambiguous or no unit; write 'degC'; give a Variable for it",
        ),
        (
            dataset(without("cell_methods")),
            {},
            "TAS does not tell what its values are over time (cell_methods ''); give",
        ),
        (dataset(), {"variables": ["tas"]}, "no variables ['tas']; it holds TAS, time_bnds"),
        (dataset(), {"variables": "TAS"}, "variables 'TAS': expected a list of names, as ['TAS']"),
        (
            dataset(),
            {"max_bytes": 100},
            "2.24e-07 GiB in memory (TAS: (5, 3, 2)), the limit is 9.31e-08 GiB; give chunks=",
        ),
        (dataset()[["time_bnds"]], {}, "no variable of numbers; it holds"),
        (dataset(values=np.full((5, 3, 2), "x")), {"variables": ["TAS"]}, "TAS is of "),
        (dataset().isel(time=[0, 2, 1]), {}, "not sorted; sort by time"),
        (
            dataset(values=np.full((5, 3, 2), -9999.0)),
            {},
            "tas: -9999 K at index [0, 0, 0] (30 such values) looks like a",
        ),
    ],
)
def test_what_a_file_leaves_open_is_an_error(held, arguments, said, tmp_path):
    path = written(held, tmp_path)
    with pytest.raises(DataError) as caught:
        read_netcdf(path, **arguments)
    assert str(caught.value).startswith(str(path)) and said in str(caught.value)


def test_local_times_need_their_zone(tmp_path):
    held = dataset()
    held["time"].attrs["long_name"] = "local time at the grid point"
    path = written(held, tmp_path)
    with pytest.raises(DataError, match="its times are called 'local time at the grid point'; tell their zone"):
        read_netcdf(path)
    assert read_netcdf(path, time_zone="local standard time").attrs["time_zone"] == "local standard time"


def test_a_chunk_larger_than_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.nc"
    with h5py.File(path, "w") as file:  # 8 TB declared, nothing written
        file.create_dataset("TAS", (1_000_000, 1_000_000), dtype="f8", chunks=(100_000, 100_000), compression="gzip")
        file["TAS"].attrs["units"] = "K"
    with pytest.raises(DataError, match="7.45e.03 GiB in memory"):
        read_netcdf(path, ["TAS"])
    with pytest.raises(DataError, match="one chunk of TAS is 74.5 GiB, the limit is 8 GiB"):
        read_netcdf(path, ["TAS"], chunks={})


def test_an_endless_coordinate_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "long.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("time", (10**11,), dtype="f8", chunks=(1000,))
        file["time"].make_scale("time")
    with pytest.raises(DataError, match="the coordinate time has 100000000000 values"):
        read_netcdf(path)


@pytest.mark.parametrize("length", [0, 4, 3000])
def test_a_file_that_is_cut_off_is_named(length, tmp_path):
    path = written(dataset(), tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="data.nc: .*(empty; get it again|cut off or damaged)"):
        read_netcdf(path)


def test_damage_inside_the_data_is_found_when_they_are_read(tmp_path):
    values = np.random.default_rng(1).normal(280.0, 1.0, (5, 3, 2))
    path = written(dataset(values=values), tmp_path, {"TAS": {"fletcher32": True, "zlib": True}})
    whole = path.read_bytes()
    with h5py.File(path) as file:
        chunk = file["TAS"].id.get_chunk_info(0)
    path.write_bytes(
        whole[: chunk.byte_offset + 20] + bytes([255 - whole[chunk.byte_offset + 20]]) + whole[chunk.byte_offset + 21 :]
    )
    with pytest.raises(DataError, match="data.nc: cannot be read"):
        read_netcdf(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dev/null", "is no regular file"),
        ("no such.nc", "no such.nc: there is no such file; a file is not replaced by missing values"),
        ("https://example.org/data.nc", "there is no such file"),
        (
            Path(__file__),
            "expected netCDF-4 or netCDF-3, its first bytes say unknown; is it the right file, and whole?",
        ),
    ],
)
def test_only_local_netcdf_files_are_opened(path, said):
    with pytest.raises(DataError) as caught:
        read_netcdf(path)
    assert said in str(caught.value)


def era5_small():
    folder = os.environ.get("CREST_DATA_DIR")
    if not folder:
        pytest.skip("CREST_DATA_DIR is not set: the folder of real data")
    return Path(folder) / "era5_small"


def test_daily_era5_of_five_cities():
    held = read_netcdf(era5_small() / "daily_surface_cancities_1990-1993.nc", ["tas", "pr", "rsds", "swe"], step="1D")
    check_convention(held)
    assert held["cell_id"].values.tolist()[0] == "Halifax" and dict(held["tas"].sizes) == {"time": 1461, "cell": 5}
    assert held["lat"].values.tolist() == [44.5, 45.5, 63.75, 52.0, 48.5]
    year = held["pr"].sel(time="1991").sum("time") * 86400.0
    assert 150.0 < float(year.min()) and float(year.max()) < 2500.0


def test_a_grid_in_local_time_with_units_of_its_own():
    path = era5_small() / "livneh_WalnutGulch_2008.nc"
    with pytest.raises(DataError, match="tell their zone"):
        read_netcdf(path, step="3h")
    rain = Variable("rain", "mm", "precipitation_flux", to_units="kg m-2 s-1", cell_methods="time: sum")
    held = read_netcdf(path, {"prec": rain}, step="3h", time_zone="UTC-7")
    assert held["time"].values[0] == np.datetime64("2008-01-01T07:00")
    with xr.open_dataset(path, engine="netcdf4") as raw:
        total = float(raw["prec"].sum())
    np.testing.assert_allclose(float(held["rain"].sum()) * 10800.0, total, rtol=1e-12)


@pytest.mark.parametrize(("code", "kind", "fill"), [(-1, np.int8, None), (256, np.int16, None), (255, np.uint8, 255)])
def test_flags_of_a_file_are_no_others_than_those_of_the_convention(code, kind, fill, tmp_path):
    held = dataset({**TAS, "ancillary_variables": "TAS_quality"})
    flags = np.zeros((5, 3, 2), kind)
    flags[1, 0, 0] = code
    words = {"flag_values": np.arange(4, dtype=kind), "flag_meanings": "good missing rejected filled"}
    held["TAS_quality"] = (("time", "lat", "lon"), flags, words)
    with pytest.raises(DataError, match=f"data.nc: tas: a flag is {code}; expected 0 good, 1 missing"):
        read_netcdf(written(held, tmp_path, {"TAS_quality": {"_FillValue": fill}}))
    held["TAS_quality"] = held["TAS_quality"].where(held["TAS_quality"] != code, 3).astype(kind)
    quality = read_netcdf(written(held, tmp_path, {"TAS_quality": {"_FillValue": fill}}))["tas_quality"]
    assert quality.dtype == np.uint8 and int((quality == 3).sum()) == 1 and int(quality.sum()) == 3


@pytest.mark.filterwarnings("ignore:Unable to decode time axis")
@pytest.mark.parametrize("chunks", [None, {}])
def test_dates_too_far_for_their_calendar_are_an_error_that_names_the_file(chunks, tmp_path):
    path = written(dataset().drop_vars("time_bnds").drop_attrs(deep=False), tmp_path)
    with h5py.File(path, "r+") as file:
        file["time"].attrs["units"] = "days since 99999999-01-01"
        del file["time"].attrs["bounds"]
    with pytest.raises(DataError, match=r"data.nc: cannot be read \(.*; is it cut off or damaged\?"):
        read_netcdf(path, step="1D", chunks=chunks)


def test_units_that_say_since_and_no_date_are_named(tmp_path):
    times = ("time", [0.0, 1.0], {"units": "days since 2000-01-01"})
    sun = ("time", [1.0, 2.0], {"units": "W m-2 since 2000"})
    xr.Dataset({"sun": sun}, {"time": times}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    said = "a.nc: sun: units 'W m-2 since 2000': expected units of time since a date, as 'days since 2000-01-01', or"
    with pytest.raises(DataError, match=said):
        read_netcdf(tmp_path / "a.nc", step="1D")
