"""netCDF files that are cut off, in any format, are refused when they are opened, and named."""

import h5py
import numpy as np
import pytest
import xarray as xr
from crest_data import read_netcdf
from crest_data.errors import DataError
from crest_data.readers.era5 import read_era5
from crest_data.readers.netcdf3_size import check_not_cut
from crest_data.readers.netcdf_file import opened

FORMATS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF3_64BIT_DATA", "NETCDF4"]


def written(path, kind, records=(), extra=False):
    """Write 60 days of a grid, the values after all coordinates; return what the file holds."""
    days = np.arange("2000-01-01", "2000-03-01", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    coords = {"time": days, "lat": [1.0, 2.0, 3.0], "lon": [4.0, 5.0, 6.0]}
    attributes = {"units": "K", "cell_methods": "time: mean"}
    held = xr.Dataset(coords=coords, attrs={"title": "a test", "numbers": [1, 2, 3]})
    held["warmth"] = (("time", "lat", "lon"), np.full((60, 3, 3), 280.0), attributes)
    if extra:
        held["flag"] = (("time", "lat"), np.ones((60, 3), np.int8))
    packed = {"warmth": {"zlib": True, "chunksizes": (30, 3, 3)}} if kind == "NETCDF4" else {}
    held.to_netcdf(path, engine="netcdf4", format=kind, unlimited_dims=records, encoding=packed)
    return path.read_bytes()


@pytest.mark.parametrize("chunks", [None, {}], ids=["in memory", "lazily"])
@pytest.mark.parametrize("records", [(), ("time",)], ids=["fixed", "records"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_lacks_its_end_is_refused(kind, records, chunks, tmp_path):
    path = tmp_path / "a.nc"
    content = written(path, kind, records)
    assert float(read_netcdf(path, step="1D", chunks=chunks)["warmth"].min()) == 280.0
    for size in (len(content) - 8, len(content) // 2, 40):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"a.nc: .*cut off"):
            read_netcdf(path, step="1D", chunks=chunks)


@pytest.mark.parametrize("extra", [False, True], ids=["one variable of records", "several"])
@pytest.mark.parametrize("kind", FORMATS[:3])
def test_the_header_promises_the_bytes_that_are_there(kind, extra, tmp_path):
    """The library pads to multiples of four bytes; what is promised ends with the last value."""
    path = tmp_path / "a.nc"
    for records in ((), ("time",)):
        content = written(path, kind, records, extra)
        check_not_cut(path)
        path.write_bytes(content[:-5])
        with pytest.raises(DataError, match=f"has {len(content) - 5} bytes, its header promises"):
            check_not_cut(path)


def test_a_header_that_lies_is_refused(tmp_path):
    content = bytearray(written(tmp_path / "a.nc", "NETCDF3_CLASSIC"))
    content[12:16] = b"\xff\xff\xff\xff"  # the number of dims
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(DataError, match=r"a.nc: its netCDF-3 header cannot be read \(.*\); it is cut off or damaged"):
        read_netcdf(tmp_path / "a.nc", step="1D")


def test_a_file_of_era5_or_of_sites_that_is_cut_off_is_refused(tmp_path, era5):
    times = era5.hours()
    path = era5.write_old(era5.old(times, era5.truth(times)), tmp_path / "era5.nc")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"era5.nc: has \d+ bytes, its header promises \d+; it is cut off: get it agai"):
        read_era5(path)
    content = written(tmp_path / "a.nc", "NETCDF4")
    (tmp_path / "a.nc").write_bytes(content[:-8])
    with pytest.raises(DataError, match="a.nc: no readable netCDF-4 file .* is it cut off"):
        opened(tmp_path / "a.nc", needs=["warmth"])


def test_damage_within_a_file_is_told_when_the_values_are_asked_for(tmp_path):
    path = tmp_path / "a.nc"
    content = bytearray(written(path, "NETCDF4"))
    with h5py.File(path) as file:
        chunk = file["warmth"].id.get_chunk_info(1)
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(DataError, match="a.nc: cannot be read .* is it cut off or damaged"):
        read_netcdf(path, step="1D")
    lazy = read_netcdf(path, step="1D", chunks={"time": 30})["warmth"]
    assert lazy[:30].values.tolist() == np.full((30, 3, 3), 280.0).tolist()
    with pytest.raises((OSError, RuntimeError)):
        lazy[30:].load()
