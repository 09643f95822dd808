"""The reader of SMAP level 3 and 4, on HDF5 files with the groups, fills and flags that NASA documents."""

from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.ease_grid import ease_axes
from crest_data.readers.netcdf import read_netcdf
from crest_data.readers.smap import read_smap

FILL = np.float32(-9999.0)
LAT, LON = np.array([40.0, 39.5, 39.0]), np.array([-100.0, -99.5])


def dataset(group, name, values, units=None, fill=FILL, bounds=None):
    """Write an array with the attributes that SMAP files carry, text as fixed-length bytes."""
    held = group.create_dataset(name, data=values, compression="gzip", chunks=values.shape)
    held.attrs["_FillValue"] = np.array(fill, values.dtype)
    if units:
        held.attrs["units"] = np.bytes_(units)
    if bounds:
        held.attrs["valid_min"], held.attrs["valid_max"] = np.float32(bounds[0]), np.float32(bounds[1])


def write_level3(folder: Path, day: str, moisture=None, flags=None, lat=LAT, lon=LON, enhanced=False):
    """Write SPL3SMP: a group of the morning and one of the evening, coordinates filled where nothing was retrieved."""
    shape = (len(lat), len(lon))
    moisture = np.full(shape, 0.25, np.float32) if moisture is None else np.asarray(moisture, np.float32)
    flags = np.zeros(shape, np.uint16) if flags is None else np.asarray(flags, np.uint16)
    latitude, longitude = np.meshgrid(lat, lon, indexing="ij")
    file = folder / f"SMAP_L3_SM_P_{'E_' if enhanced else ''}{day}_R18290_001.h5"
    with h5py.File(file, "w") as hdf:
        hdf.create_group("Metadata/Extent").attrs["rangeBeginningDateTime"] = np.bytes_(day)
        for part, ending, more in (("AM", "", 0.0), ("PM", "_pm", 0.125)):
            group = hdf.create_group(f"Soil_Moisture_Retrieval_Data_{part}")
            values = np.where(moisture == FILL, FILL, moisture + np.float32(more))
            dataset(group, f"soil_moisture{ending}", values, "cm**3/cm**3", bounds=(0.02, 0.5))
            dataset(group, f"retrieval_qual_flag{ending}", flags, fill=65534)
            for name, grid in (("latitude", latitude), ("longitude", longitude)):
                dataset(group, f"{name}{ending}", grid.astype(np.float32), "degrees")
            group.create_dataset(f"landcover_class{ending}", data=np.zeros((*shape, 3), np.uint8), compression="gzip")
    return file


def write_level4(folder: Path, stamp: str, product="gph", moisture=0.25, leap=5.0, units=None):
    """Write SPL4SMGP or SPL4SMAU: coordinates and time at the root, seconds that run on over leap seconds."""
    latitude, longitude = np.meshgrid(LAT, LON, indexing="ij")
    file = folder / f"SMAP_L4_SM_{product}_{stamp}_Vv7032_001.h5"
    epoch = datetime(2000, 1, 1, 11, 58, 55, 816000)
    with h5py.File(file, "w") as hdf:
        for name, size in (("y", LAT.size), ("x", LON.size)):
            hdf.create_dataset(name, data=np.arange(size) * 9008.055).make_scale(name)
        dataset(hdf, "cell_lat", latitude.astype(np.float32), "degrees")
        dataset(hdf, "cell_lon", longitude.astype(np.float32), "degrees")
        seconds = (datetime.strptime(stamp, "%Y%m%dT%H%M%S") - epoch).total_seconds() + leap
        hdf.create_dataset("time", data=[seconds]).attrs["units"] = units or "seconds since 2000-01-01 11:58:55.816"
        group = hdf.create_group("Geophysical_Data" if product == "gph" else "Analysis_Data")
        ending = "" if product == "gph" else "_analysis"
        for name, more in (("sm_surface", 0.0), ("sm_rootzone", 0.125)):
            values = np.full((LAT.size, LON.size), moisture + more, np.float32)
            values[0, 0] = FILL
            dataset(group, f"{name}{ending}", values, "m3 m-3")
            for axis, scale in enumerate("yx"):
                group[f"{name}{ending}"].dims[axis].attach_scale(hdf[scale])
    return file


def test_level_3_is_in_the_convention_and_read_when_needed(tmp_path):
    write_level3(tmp_path, "20150401", [[0.1, 0.2], [0.3, FILL], [0.4, 0.5]])
    write_level3(tmp_path, "20150402")
    data = read_smap(tmp_path)
    assert data["soil_moisture"].chunks is not None
    check_convention(data)
    assert data["soil_moisture"].dims == ("time", "y", "x")
    assert data["lat"].values.tolist() == [39.0, 39.5, 40.0] and data["lon"].values.tolist() == [-100.0, -99.5]
    first = data["soil_moisture"].values[0]
    np.testing.assert_allclose(first, [[0.4, 0.5], [0.3, np.nan], [0.1, 0.2]], rtol=1e-6)
    assert data["soil_moisture_quality"].values[0].tolist() == [[0, 0], [0, 1], [0, 0]]
    assert data["soil_moisture"].attrs["units"] == "1"
    assert str(data["time"].values[0])[:10] == "2015-04-01" and data.attrs["time_zone"] == "UTC"


def test_the_evening_has_its_own_group(tmp_path):
    file = write_level3(tmp_path, "20150401")
    np.testing.assert_allclose(read_smap(file, overpass="pm")["soil_moisture"].values, 0.375)
    with pytest.raises(DataError, match="overpass 'noon': expected 'am' or 'pm'"):
        read_smap(file, overpass="noon")


@pytest.mark.parametrize(
    ("overpass", "lon", "instant"),
    [
        ("am", -100.0, "2015-04-01T12:40"),
        ("pm", -100.0, "2015-04-01T00:40"),  # the evening of the local day before
        ("am", 170.0, "2015-04-01T18:40"),  # the morning of the local day after
    ],
)
def test_the_instant_of_an_overpass_follows_from_the_longitude_within_the_utc_day(overpass, lon, instant, tmp_path):
    data = read_smap(write_level3(tmp_path, "20150401", lon=np.array([lon, lon + 0.5])), overpass=overpass)
    check_convention(data)
    assert str(data["overpass_time"].values[0, 0])[:16] == instant
    assert data["soil_moisture"].attrs["point_time"] == "overpass_time" and "time_end" not in data.coords
    assert "overpass_time: local solar time by longitude, UTC" in data.attrs["changes"]
    with pytest.raises(DataError, match="holds at the times of 'overpass_time', which is no coordinate of it"):
        check_convention(data.drop_vars("overpass_time"))


def test_the_instant_of_an_overpass_is_what_the_files_tell(tmp_path):
    for day in ("20150401", "20150403"):
        with h5py.File(write_level3(tmp_path, day), "a") as hdf:
            texts = np.full((LAT.size, LON.size), b"N/A", "S24")
            texts[0, 1] = f"2015-04-{day[-2:]}T12:34:56.500Z".encode()
            hdf["Soil_Moisture_Retrieval_Data_AM"].create_dataset("tb_time_utc", data=texts)
    data = read_smap(tmp_path, fill_gaps=True)
    check_convention(data)
    assert data["overpass_time"].chunks is not None  # read when needed
    instants = data["overpass_time"].values
    assert instants.dtype == "datetime64[ns]" and np.isnat(instants[1]).all()
    assert [str(one)[:21] for one in instants[::2, 2, 1]] == ["2015-04-01T12:34:56.5", "2015-04-03T12:34:56.5"]
    assert np.isnat(instants).sum() == instants.size - 2
    assert "overpass_time: tb_time_utc of the files" in data.attrs["changes"]
    data.to_netcdf(tmp_path / "smap.nc", engine="h5netcdf")
    back = read_netcdf(tmp_path / "smap.nc")
    np.testing.assert_array_equal(back["overpass_time"].values, instants)
    assert back["soil_moisture"].attrs == data["soil_moisture"].attrs | {"vertical_extent": [0.0, 0.05]}


def test_retrievals_that_are_not_recommended_or_out_of_range_are_rejected(tmp_path):
    write_level3(tmp_path, "20150401", [[0.1, 0.2], [0.3, FILL], [0.01, 0.6]], [[0, 1], [8, 7], [0, 0]])
    data = read_smap(tmp_path)
    assert data["soil_moisture_quality"].values[0].tolist() == [[2, 2], [0, 2], [0, 2]]
    assert np.isnan(data["soil_moisture"].values[0, 2, 1])
    assert "soil_moisture: retrieval_qual_flag bit 0 set (not recommended) -> rejected" in data.attrs["changes"]
    every = read_smap(tmp_path, recommended=False)
    assert every["soil_moisture"].values[0, 2, 1] == np.float32(0.2)
    assert "soil_moisture: retrieval_qual_flag is not applied" in every.attrs["changes"]


def test_the_global_grid_is_known_where_the_file_tells_no_coordinates(tmp_path):
    lat, lon = ease_axes(406, 964)
    told = np.where(np.arange(406) == 100, lat, FILL)  # all was retrieved in one row only
    file = write_level3(tmp_path, "20150401", lat=told, lon=np.where(np.arange(964) < 9, lon, FILL), enhanced=True)
    data = read_smap(file)
    assert data.sizes["y"] == 406 and "SPL3SMP_E" in data.attrs["source"]
    np.testing.assert_array_equal(data["lat"].values, lat[::-1])
    np.testing.assert_array_equal(data["lon"].values, lon)
    assert file.stat().st_size < 100_000


def test_level_4_means_are_labelled_by_their_start(tmp_path):
    write_level4(tmp_path, "20170401T013000"), write_level4(tmp_path, "20170401T043000", moisture=0.5)
    data = read_smap(tmp_path)
    check_convention(data)
    assert [str(one)[:16] for one in data["time"].values] == ["2017-04-01T00:00", "2017-04-01T03:00"]
    np.testing.assert_allclose(data["soil_moisture_surface"].values[:, 0, 0], [0.25, 0.5])
    np.testing.assert_allclose(data["soil_moisture_root_zone"].values[0, 0, 0], 0.375)
    assert np.isnan(data["soil_moisture_surface"].values[0, 2, 0])
    assert data["soil_moisture_surface_quality"].values[0, 2, 0] == 1
    assert data["soil_moisture_root_zone"].attrs["vertical_extent"] == [0.0, 1.0]
    assert "5 s of leap seconds since 2000 left out" in data.attrs["changes"]


def test_the_analysis_of_level_4_is_a_point_value_at_the_end(tmp_path):
    data = read_smap(write_level4(tmp_path, "20170401T030000", product="aup"))
    assert data["soil_moisture_surface"].attrs["cell_methods"] == "time: point"
    assert str(data["time_bnds"].values[0, 1])[:16] == "2017-04-01T03:00"


def test_an_absent_day_is_an_error_unless_asked_for(tmp_path):
    write_level3(tmp_path, "20150401"), write_level3(tmp_path, "20150403")
    with pytest.raises(DataError, match="1 times are absent, the first 2015-04-02T00:00; get those files, or ask for"):
        read_smap(tmp_path)
    data = read_smap(tmp_path, fill_gaps=True)
    assert data.sizes["time"] == 3 and np.isnan(data["soil_moisture"].values[1]).all()
    assert data["soil_moisture_quality"].values[:, 0, 0].tolist() == [0, 1, 0]


def test_files_that_do_not_belong_together_are_errors(tmp_path):
    with pytest.raises(DataError, match="no file of SMAP here; expected names such as SMAP_L3_SM_P_20150401"):
        read_smap(tmp_path)
    write_level3(tmp_path, "20150401"), write_level3(tmp_path, "20150402", lat=LAT[:2])
    with pytest.raises(DataError, match="20150402.*: a grid of {'y': 2, 'x': 2}, the first file has {'y': 3, 'x': 2}"):
        read_smap(tmp_path)
    write_level3(tmp_path, "20150402", lat=LAT + 1.0)
    with pytest.raises(DataError, match="20150402.*: the grid lies elsewhere than that of the first file"):
        read_smap(tmp_path)
    (tmp_path / "SMAP_L3_SM_P_20150402_R18290_002.h5").write_bytes(b"")
    with pytest.raises(DataError, match="R18290_001.h5 and SMAP_.*_002.h5 are of one time; keep the newer version"):
        read_smap(tmp_path)
    write_level4(tmp_path, "20170401T013000")
    with pytest.raises(DataError, match="files of SPL3SMP and gph; read each product from a folder of its own"):
        read_smap(tmp_path)


def test_a_bad_file_is_an_error_with_its_name(tmp_path):
    file = write_level3(tmp_path, "20150401")
    with h5py.File(file, "a") as hdf:
        group = hdf["Soil_Moisture_Retrieval_Data_AM"]
        group.move("soil_moisture", "soil_moistur")
    with pytest.raises(DataError, match="Soil_Moisture_Retrieval_Data_AM has no 'soil_moisture'.*mean 'soil_moistur"):
        read_smap(file)
    with h5py.File(file, "a") as hdf:
        del hdf["Soil_Moisture_Retrieval_Data_AM"]
    with pytest.raises(DataError, match="no group 'Soil_Moisture_Retrieval_Data_AM' that can be read"):
        read_smap(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match="20150401_R18290_001.h5: no group .* that can be read .*; is the file cut off"):
        read_smap(file)


def test_other_units_in_the_file_are_an_error(tmp_path):
    file = write_level3(tmp_path, "20150401")
    with h5py.File(file, "a") as hdf:
        hdf["Soil_Moisture_Retrieval_Data_AM/soil_moisture"].attrs["units"] = np.bytes_("%")
    with pytest.raises(DataError, match="soil_moisture: the source has the units '%', declared are 'm3 m-3'"):
        read_smap(file)


def test_a_time_in_a_file_that_is_not_that_of_its_name_is_an_error(tmp_path):
    file = write_level4(tmp_path, "20170401T013000", leap=3600.0)
    with pytest.raises(DataError, match="time in the file is 2017-04-01T02:30:00, in its name 2017-04-01T01:30:00"):
        read_smap(file)
    file = write_level4(tmp_path, "20170401T013000", units="days since 2000-01-01")
    with pytest.raises(DataError, match=r"\[days since 2000-01-01\]; expected one, in seconds since 2000-01-01"):
        read_smap(file)


def test_times_that_are_no_three_hours_apart_and_an_absent_file_are_errors(tmp_path):
    write_level4(tmp_path, "20170401T013000"), write_level4(tmp_path, "20170401T033000")
    with pytest.raises(DataError, match="the files' times are not 3h apart, from 2017-04-01 01:30:00"):
        read_smap(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        read_smap(tmp_path / "SMAP_L3_SM_P_20150401_R18290_001.h5")


def test_a_field_of_another_shape_than_the_grid_is_an_error(tmp_path):
    file = write_level3(tmp_path, "20150401")
    with h5py.File(file, "a") as hdf:
        group = hdf["Soil_Moisture_Retrieval_Data_AM"]
        del group["soil_moisture"]
        group["soil_moisture"] = np.zeros((2, 2), np.float32)
    with pytest.raises(DataError, match=r"soil_moisture has the shape \(2, 2\), the grid \(3, 2\)"):
        read_smap(file)
