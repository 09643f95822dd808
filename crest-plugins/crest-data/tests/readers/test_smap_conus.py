"""The reader of hydroDL's example data: SMAP over CONUS with NLDAS-2 weather."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.smap_conus import read_smap_conus

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
SERIES = {"SMAP_AM": 0.25, "APCP_FORA": 3.6, "TMP_2_FORA": 280.0, "DSWRF_FORA": 200.0, "DLWRF_FORA": 300.0,
          "SPFH_2_FORA": 0.01, "UGRD_10_FORA": -1.0, "VGRD_10_FORA": 2.0}  # fmt: skip


def write(file: Path, **values):
    days = np.arange("2015-04-01", "2015-04-03", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    series = {name: (("pixel", "time"), np.full((2, 2), value, "float32")) for name, value in (SERIES | values).items()}
    static = {"const_Sand": ("pixel", [40.0, 50.0]), "const_Capa": ("pixel", [1.0, 2.0])}
    place = {"lat": ("pixel", [40.0, 41.0]), "lon": ("pixel", [-100.0, -99.0]), "time": days}
    xr.Dataset({**series, **static}, place).to_netcdf(file, engine="h5netcdf")
    return file


def test_pixels_are_in_the_convention_with_known_values(tmp_path):
    data = read_smap_conus(write(tmp_path / "smap.nc"))
    check_convention(data)
    assert data["cell_id"].values.tolist() == ["0", "1"] and data["soil_moisture"].chunks is not None
    np.testing.assert_allclose(data["precipitation_flux"].values, 1e-3, rtol=1e-6)
    assert data["sand"].values.tolist() == [40.0, 50.0]
    assert "left out, units unknown: const_Capa" in data.attrs["changes"]
    assert "is a guess" in data.attrs["remarks"] and "non-commercial" in data.attrs["licence"]


def test_soil_moisture_is_of_the_overpass_by_longitude_and_not_of_the_end_of_the_day(tmp_path):
    data = read_smap_conus(write(tmp_path / "smap.nc"))
    assert [str(one)[:16] for one in data["overpass_time"].values[:, 0]] == ["2015-04-01T12:40", "2015-04-02T12:40"]
    assert data["soil_moisture"].attrs["point_time"] == "overpass_time" and "time_end" not in data.coords
    assert "the day that it falls in" in data["soil_moisture"].attrs["comment"]


def test_a_pixel_that_is_not_there_or_a_lacking_variable_is_an_error(tmp_path):
    file = write(tmp_path / "smap.nc")
    assert read_smap_conus(file, ids=["1"])["lat"].values.tolist() == [41.0]
    with pytest.raises(DataError, match=r"no pixel '2' among 2 \(0, 1\)"):
        read_smap_conus(file, ids=["2"])
    with xr.open_dataset(file) as data:
        data.rename(SMAP_AM="SMAP_PM").to_netcdf(tmp_path / "pm.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="no variable 'SMAP_AM'; it holds .*did you mean 'SMAP_PM'"):
        read_smap_conus(tmp_path / "pm.nc")


@needs_data
def test_the_real_file_agrees_with_itself():
    file = Path(DATA) / "smap_conus/smap_conus.nc"
    data = read_smap_conus(file, ids=["0", "329"])
    with xr.open_dataset(file) as plain:
        np.testing.assert_array_equal(data["soil_moisture"].values.T, plain["SMAP_AM"].values[[0, 329]])
        np.testing.assert_array_equal(data["lat"].values, plain["lat"].values[[0, 329]])
