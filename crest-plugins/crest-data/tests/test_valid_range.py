"""What a source declares valid by CF's attributes holds: values beyond are rejected, and told."""

import numpy as np
import pytest
import xarray as xr
from crest_data import read_netcdf
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable

DAYS = np.arange("2000-01-01", "2000-01-06", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
VALUES = [-1.0, 0.0, 50.0, 100.0, 101.0]


def raw(values=VALUES, **attributes):
    coords = {"time": DAYS, "lat": 47.0, "lon": 10.0}
    return xr.Dataset({"RH": ("time", np.asarray(values), {"units": "%", **attributes})}, coords)


def conformed(held):
    return conform(held, {"RH": Variable("humidity", "%", to_units="1")}, step="1D", source="a sensor")


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazily"])
@pytest.mark.parametrize(
    ("attributes", "quality", "said"),
    [
        ({"valid_range": [0.0, 100.0]}, [2, 0, 0, 0, 2], "beyond [0, 100]"),
        ({"valid_min": 0.0}, [2, 0, 0, 0, 0], "beyond [0, inf]"),
        ({"valid_max": np.float32(100.0)}, [0, 0, 0, 0, 2], "beyond [-inf, 100]"),
        ({"valid_min": 0, "valid_max": 100}, [2, 0, 0, 0, 2], "beyond [0, 100]"),
    ],
)
def test_values_beyond_are_rejected_in_the_units_of_the_source(attributes, quality, said, lazy):
    held = conformed(raw(**attributes).chunk() if lazy else raw(**attributes))
    assert held["humidity_quality"].values[:, 0].tolist() == quality
    assert np.isnan(held["humidity"].values[:, 0]).tolist() == [code == 2 for code in quality]
    assert f"humidity: {said}, the source's valid range -> rejected" in held.attrs["changes"]
    assert not {"valid_range", "valid_min", "valid_max"} & set(held["humidity"].attrs)


@pytest.mark.parametrize("scale", [0.01, -0.01])
def test_whole_numbers_of_a_packed_variable_are_meant_packed(scale, tmp_path):
    packing = {"dtype": "int16", "scale_factor": scale, "add_offset": 50.0, "_FillValue": -32768}
    ends = np.array([-5000, 5000], dtype=np.int16)  # 0 and 100 %
    held = raw(valid_range=ends, cell_methods="time: mean")
    held.to_netcdf(tmp_path / "rh.nc", encoding={"RH": packing}, engine="netcdf4")
    read = read_netcdf(tmp_path / "rh.nc", step="1D")
    assert read["rh_quality"].values[:, 0].tolist() == [2, 0, 0, 0, 2]


def test_floats_of_a_packed_variable_are_meant_unpacked(tmp_path):
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 50.0, "_FillValue": -32768}
    held = raw(valid_min=0.0, cell_methods="time: mean")
    held.to_netcdf(tmp_path / "rh.nc", encoding={"RH": packing}, engine="netcdf4")
    assert read_netcdf(tmp_path / "rh.nc", step="1D")["rh_quality"].values[:, 0].tolist() == [2, 0, 0, 0, 0]


def test_unsigned_bytes_are_judged_as_such(tmp_path):
    held = raw([0.0, 1.0, 100.0, 125.0, 126.0], valid_max=np.int8(-6), cell_methods="time: mean")  # 250, that is 125 %
    packing = {"dtype": "int8", "scale_factor": 0.5, "_FillValue": np.int8(-1), "_Unsigned": "true"}
    held.to_netcdf(tmp_path / "rh.nc", encoding={"RH": packing}, engine="netcdf4")
    assert read_netcdf(tmp_path / "rh.nc", step="1D")["rh_quality"].values[:, 0].tolist() == [0, 0, 0, 0, 2]


@pytest.mark.parametrize("kind", [np.int8, np.int32], ids=["as the bytes", "wider"])
def test_unsigned_bytes_without_a_scale_are_judged_as_such(kind, tmp_path):
    held = raw([0.0, 100.0, 200.0, 250.0, 251.0], valid_range=np.array([0, -6], kind), cell_methods="time: mean")
    packing = {"dtype": "int8", "_FillValue": np.int8(-1), "_Unsigned": "true"}
    held.to_netcdf(tmp_path / "rh.nc", encoding={"RH": packing}, engine="netcdf4")
    read = read_netcdf(tmp_path / "rh.nc", step="1D")
    assert read["rh_quality"].values[:, 0].tolist() == [0, 0, 0, 0, 2]
    assert "rh: beyond [0, 250], the source's valid range -> rejected" in read.attrs["changes"]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"valid_range": "0 to 100"}, "valid_range is '0 to 100'; expected two numbers: correct or remove it"),
        ({"valid_min": [0.0, 1.0]}, "valid_min is .* expected one number"),
        ({"valid_range": [100.0, 0.0]}, r"valid range \[100, 0\] holds nothing"),
    ],
)
def test_a_range_that_says_nothing_is_refused(attributes, said):
    with pytest.raises(DataError, match=f"humidity: the source's {said}"):
        conformed(raw(**attributes))
