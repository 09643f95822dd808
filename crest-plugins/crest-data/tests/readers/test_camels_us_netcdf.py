"""The reader of CAMELS-US in one netCDF file."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.camels_us_netcdf import read_camels_us_netcdf

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
UNITS = {"prcp": "mm/day", "srad": "W/m2", "tmax": "degC", "tmin": "degC", "vp": "Pa", "dayl": "s", "qobs": "mm/day",
         "swe_uaz": "mm"}  # fmt: skip


def write(path: Path, **units):
    """Write two basins of three days, packed in 16 bits as such files are."""
    days = np.arange("2000-02-28", "2000-03-02", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    values = {name: np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]) for name in UNITS}
    values["dayl"] = values["dayl"] * 0 + 43200.0
    values["qobs"][1, 2] = np.nan
    data = {name: (("basin", "time"), one, {"units": {**UNITS, **units}[name]}) for name, one in values.items()}
    dataset = xr.Dataset(data, {"basin": ["01022500", "06614800"], "time": days})
    packed = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"prcp": packed, "qobs": packed})
    return path


def test_basins_are_in_the_convention_and_read_when_needed(tmp_path):
    table = tmp_path / "attributes.csv"
    table.write_text('gauge_id,gauge_lat,gauge_lon,gauge_name\n06614800,40.5,-105.9,"A, B"\n01022500,44.6,-67.9,C\n')
    data = read_camels_us_netcdf(write(tmp_path / "camels.nc"), attributes=table)
    assert data["precipitation_flux"].chunks is not None
    check_convention(data)
    assert data["cell_id"].values.tolist() == ["01022500", "06614800"]
    assert data["lat"].values.tolist() == [44.6, 40.5] and data["gauge_name"].values.tolist() == ["C", "A, B"]
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 1] * 86400.0, [4.0, 5.0, 6.0])
    np.testing.assert_allclose(data["air_temperature_max"].values[:, 0], [274.15, 275.15, 276.15])
    assert np.isnan(data["streamflow"].values[2, 1])


def test_a_chosen_basin_has_the_day_mean_of_radiation_if_asked_for(tmp_path):
    data = read_camels_us_netcdf(write(tmp_path / "camels.nc"), ids=["06614800"], srad="24h")
    np.testing.assert_allclose(data["shortwave_down"].values[:, 0], [2.0, 2.5, 3.0])
    assert "mean over daylight x dayl / 86400 s -> mean over 24 h" in data.attrs["changes"]
    assert np.isnan(data["lat"].values).all() and "lat: the source tells none" in data.attrs["changes"]


def test_a_list_of_basins_is_cut_to_what_the_file_holds(tmp_path):
    file, listed, none = write(tmp_path / "camels.nc"), tmp_path / "listed.txt", tmp_path / "none.txt"
    listed.write_text("00000000\n06614800\n", encoding="utf-8")
    none.write_text("00000000\n", encoding="utf-8")
    for text in ("\ufeff06614800\n", "06614800\r\n00000000\r\n"):
        (tmp_path / "other.txt").write_text(text, encoding="utf-8")
        told = read_camels_us_netcdf(file, listed=tmp_path / "other.txt").attrs["changes"]
        assert "1 of the basins listed in other.txt are held" in told
    for text, words in (
        ("1022500\n", "'1022500' is no id .*did you mean '01022500'"),
        ("06614800,01022500", "is no id"),
    ):
        (tmp_path / "other.txt").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            read_camels_us_netcdf(file, listed=tmp_path / "other.txt")
    assert read_camels_us_netcdf(file, listed=listed)["cell_id"].values.tolist() == ["06614800"]
    with pytest.raises(DataError, match=r"none.txt: .* holds none of these 1 basins; expected one id of 8 digits"):
        read_camels_us_netcdf(file, listed=none)
    with pytest.raises(DataError, match="ids and listed both choose basins; give one of them"):
        read_camels_us_netcdf(file, listed=listed, ids=["06614800"])
    with pytest.raises(DataError, match=r"absent.txt: no readable text file of ids"):
        read_camels_us_netcdf(file, listed=tmp_path / "absent.txt")


def test_a_bad_file_is_an_error_with_its_name(tmp_path):
    file = write(tmp_path / "camels.nc")
    with pytest.raises(DataError, match="no basin '01022501' among 2 .*did you mean '01022500'"):
        read_camels_us_netcdf(file, ids=["01022501"])
    with pytest.raises(DataError, match="there is no such file"):
        read_camels_us_netcdf(tmp_path / "other.nc")
    with pytest.raises(DataError, match="the source has the units 'inch/day', declared are 'mm day-1'"):
        read_camels_us_netcdf(write(tmp_path / "inches.nc", prcp="inch/day"))
    (tmp_path / "cut.nc").write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match="cut.nc: no readable netCDF-4 file"):
        read_camels_us_netcdf(tmp_path / "cut.nc")
    with xr.open_dataset(file) as dataset:
        dataset.drop_vars("prcp").to_netcdf(tmp_path / "lacks.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="lacks.nc: no variable 'prcp'; it holds"):
        read_camels_us_netcdf(tmp_path / "lacks.nc")


@needs_data
def test_the_real_file_agrees_with_itself_and_has_all_basins():
    file = Path(DATA) / "camels_us/camels_us_maurer_1980_2008.nc"
    data = read_camels_us_netcdf(file, attributes=Path(DATA) / "camels_us/attributes.csv")
    assert data.sizes["cell"] == 571 and data.sizes["time"] == 10593
    one = read_camels_us_netcdf(file, ids=["06614800"], srad="24h")
    with xr.open_dataset(file) as plain:
        basin = plain.sel(basin="06614800").load()
    np.testing.assert_allclose(one["precipitation_flux"].values[:, 0] * 86400.0, basin["prcp"].values, atol=1e-9)
    np.testing.assert_allclose(one["shortwave_down"].values[:, 0], (basin["srad"] * basin["dayl"] / 86400.0).values)
    np.testing.assert_array_equal(
        np.isnan(one["snow_water_equivalent"].values[:, 0]), np.isnan(basin["swe_uaz"].values)
    )
