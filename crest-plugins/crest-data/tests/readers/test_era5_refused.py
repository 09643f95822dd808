"""Files that are no hourly ERA5, or that do not fit together, are refused."""

import pandas as pd
import pytest
from crest_data.errors import DataError
from crest_data.readers.era5 import read_era5


def test_versions_that_overlap_are_refused(tmp_path, era5):
    raw = era5.old(era5.hours(), era5.truth(era5.hours()), expver=20)
    raw["t2m"].loc[{"expver": 5, "time": era5.hours()[3]}] = 1.0
    path = era5.write_new(raw, tmp_path / "era5.nc")
    with pytest.raises(
        DataError, match=r"expver: at 2020-03-01T03:00.* the versions 1, 5 all hold values \(1 such times\)"
    ):
        read_era5(path)


def made(era5, **options):
    return era5.new(era5.hours(), era5.truth(era5.hours()), **options)


def monthly(era5):
    times = pd.date_range("2020-01-01", periods=4, freq="MS", unit="ns")
    return era5.new(times, {name: values[:4] for name, values in era5.truth(era5.hours()).items()})


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (monthly, {}, "times are a month apart: monthly means are not read here; use read_netcdf"),
        (
            lambda era5: made(era5, kind="avgua"),
            {},
            "t2m is a monthly mean; read hourly or daily data",
        ),
        (
            lambda era5: made(era5).isel(valid_time=slice(0, 48, 12)),
            {},
            "times are 720 minutes apart, expected 60",
        ),
        (
            lambda era5: made(era5, kind="instant"),
            {},
            "tp: the file says stepType 'instant', expected 'time: sum'",
        ),
        (
            lambda era5: made(era5),
            {"variables": ["t2n"]},
            "the short names ['t2n'] are not known; did you mean",
        ),
        (
            lambda era5: made(era5),
            {"variables": ["sd"]},
            "the files hold none of sd; check what was downloaded",
        ),
        (
            lambda era5: made(era5),
            {"variables": "t2m"},
            "variables 't2m': expected a list of short names",
        ),
        (
            lambda era5: made(era5),
            {"step": "1 month"},
            "step: timestep '1 month' is not a whole number",
        ),
        (
            lambda era5: made(era5),
            {"max_bytes": 1000},
            "GiB in memory (t2m: (48, 3, 4)), the limit is",
        ),
        (
            lambda era5: made(era5).rename(valid_time="when"),
            {},
            "expected a dim time or valid_time, got",
        ),
    ],
)
def test_what_is_no_hourly_era5_is_refused(make, arguments, said, tmp_path, era5):
    path = era5.write_new(make(era5), tmp_path / "era5.nc")
    with pytest.raises(DataError) as caught:
        read_era5(path, **arguments)
    assert said in str(caught.value)


def test_files_that_overlap_or_lie_on_two_grids_are_refused(tmp_path, era5):
    times, data = era5.hours(), era5.truth(era5.hours())
    first = era5.write_new(era5.new(times, data), tmp_path / "a.nc")
    with pytest.raises(DataError, match="files overlap in time: one ends at 2020-03-02T23:00"):
        read_era5([first, first])
    other = era5.new(times + pd.Timedelta("2D"), data).assign_coords(latitude=[61.0, 60.75, 60.5])
    with pytest.raises(DataError, match="files are not on one grid: their values of latitude differ"):
        read_era5([first, era5.write_new(other, tmp_path / "b.nc")])
    with pytest.raises(DataError, match="no files given"):
        read_era5([])


def test_a_zip_of_the_store_is_to_be_unpacked(tmp_path):
    (tmp_path / "download.nc").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(
        DataError, match="expected netCDF-4 or netCDF-3 or GRIB, its first bytes say zip; unpack it first"
    ):
        read_era5(tmp_path / "download.nc")


def test_files_of_several_calendars_are_refused(tmp_path, era5):
    first = era5.write_new(made(era5), tmp_path / "a.nc")
    later = era5.hours("2020-03-03T00:00")
    other = era5.new(later, era5.truth(later)).convert_calendar("noleap", dim="valid_time", use_cftime=True)
    with pytest.raises(DataError, match="files are of the calendars noleap and standard; read those of each by them"):
        read_era5([first, era5.write_new(other, tmp_path / "b.nc")])
