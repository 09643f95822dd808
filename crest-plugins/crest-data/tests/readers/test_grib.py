"""GRIB by cfgrib: written here message by message; no index file is written or read."""

import os
import pickle
from pathlib import Path

import eccodes
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.era5 import read_era5
from crest_data.readers.era5_land import read_era5_land
from crest_data.readers.grib import read_grib

LAT, LON = [52.0, 51.0, 50.0], [0.0, 1.0, 2.0, 3.0]
SHAPE = (3, 4)


def message(name, values, base, step=0, kind="instant", member=None):
    """Return one GRIB 1 message on a small grid, from north to south."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    keys = {
        "centre": "ecmf", "Ni": 4, "Nj": 3, "latitudeOfFirstGridPointInDegrees": 52.0,
        "latitudeOfLastGridPointInDegrees": 50.0, "longitudeOfFirstGridPointInDegrees": 0.0,
        "longitudeOfLastGridPointInDegrees": 3.0, "iDirectionIncrementInDegrees": 1.0,
        "jDirectionIncrementInDegrees": 1.0, "dataDate": int(base.strftime("%Y%m%d")), "dataTime": base.hour * 100,
        "bitsPerValue": 24, "shortName": name, "stepType": kind,
        "stepRange": f"0-{step}" if kind == "accum" else str(step),
    }  # fmt: skip
    if member is not None:
        eccodes.codes_set(handle, "setLocalDefinition", 1)
        keys |= {"localDefinitionNumber": 1, "marsClass": "ea", "stream": "enda", "type": "an", "number": member}
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.asarray(values, dtype=float).ravel())
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


def temperature(hour):
    return 280.0 + hour + np.arange(12.0).reshape(SHAPE)


def instants(path, hours=4):
    base = pd.Timestamp("2020-03-01")
    parts = [message("2t", temperature(hour), base + pd.Timedelta(hours=hour)) for hour in range(hours)]
    path.write_bytes(b"".join(parts))
    return path


def test_values_at_moments_come_out_at_their_times(tmp_path):
    held = read_grib(instants(tmp_path / "t.grib"))
    check_convention(held)
    assert held["t2m"].attrs["cell_methods"] == "time: point" and held["t2m"].attrs["units"] == "K"
    assert (
        held["time"].values.tolist() == pd.date_range("2020-03-01", periods=4, freq="1h", unit="ns").to_numpy().tolist()
    )
    np.testing.assert_allclose(held["t2m"].values[2], temperature(2)[::-1], atol=1e-4)


def test_with_a_step_a_value_belongs_to_the_interval_that_ends_there(tmp_path):
    held = read_grib(instants(tmp_path / "t.grib"), step="1h")
    assert held["time_bnds"].values[0].tolist() == np.array(["2020-02-29T23", "2020-03-01T00"], "M8[ns]").tolist()


def test_lazily_gives_the_same_as_in_memory(tmp_path):
    path = instants(tmp_path / "t.grib")
    lazy = read_grib(path, chunks={})
    assert lazy["t2m"].chunks is not None
    xr.testing.assert_identical(lazy.load().drop_attrs(deep=False), read_grib(path).drop_attrs(deep=False))


def test_era5_in_grib_has_the_names_and_labels_of_era5(tmp_path):
    held = read_era5(instants(tmp_path / "t.grib"))
    assert list(held.data_vars) == ["air_temperature"]
    assert held["time"].values[0] == np.datetime64("2020-02-29T23:00")


def test_sums_of_era5_land_in_grib_become_means_of_each_hour(tmp_path):
    base = pd.Timestamp("2020-03-01")
    parts = [message("tp", np.full(SHAPE, 0.001 * step), base, step, "accum") for step in range(1, 25)]
    (tmp_path / "land.grib").write_bytes(b"".join(parts))
    held = read_era5_land(tmp_path / "land.grib")
    assert held["time"].values[0] == np.datetime64("2020-03-01") and held.sizes["time"] == 24
    np.testing.assert_allclose(held["precipitation"], 1.0 / 3600.0, rtol=1e-3)


def test_sums_need_a_step_to_be_rates(tmp_path):
    (tmp_path / "p.grib").write_bytes(message("tp", np.ones(SHAPE), pd.Timestamp("2020-03-01"), 6, "accum"))
    with pytest.raises(DataError, match="tp: 'time: sum' without time bounds"):
        read_grib(tmp_path / "p.grib")
    held = read_grib(tmp_path / "p.grib", step="6h")
    assert held["time"].values[0] == np.datetime64("2020-03-01T00") and held["tp"].attrs["cell_methods"] == "time: sum"


def test_members_are_a_dim(tmp_path):
    base = pd.Timestamp("2020-03-01")
    parts = [message("2t", temperature(member), base, member=member) for member in range(3)]
    (tmp_path / "m.grib").write_bytes(b"".join(parts))
    held = read_grib(tmp_path / "m.grib")
    assert held["t2m"].dims[-3:] == ("member", "y", "x") and held.sizes["member"] == 3


def test_no_index_is_written_or_read(tmp_path):
    """Cfgrib keeps its index as a pickle, which would run code that somebody left beside the data."""
    path = instants(tmp_path / "t.grib")

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "t.grib.idx").write_bytes(pickle.dumps(Trap()))
    for name in ("t.grib.5b7b6.idx", "t.grib.923a8.idx"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    before = sorted(tmp_path.iterdir())
    read_grib(path)
    read_era5(path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("length", [4, 60, 100])
def test_a_file_that_is_cut_off_is_named(length, tmp_path):
    path = instants(tmp_path / "t.grib", 1)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="t.grib: "):
        read_grib(path)


def test_a_cut_in_the_last_message_is_named(tmp_path):
    path = instants(tmp_path / "t.grib")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="t.grib: "):
        read_grib(path)


def test_other_files_and_sizes_are_refused(tmp_path):
    (tmp_path / "x.grib").write_text("no GRIB")
    with pytest.raises(DataError, match="expected GRIB, its first bytes say unknown"):
        read_grib(tmp_path / "x.grib")
    with pytest.raises(DataError, match="GiB in memory"):
        read_grib(instants(tmp_path / "t.grib"), max_bytes=100)
    with pytest.raises(DataError, match=r"no variables \['d2m'\]; it holds"):
        read_grib(tmp_path / "t.grib", ["d2m"])


def test_messages_of_two_kinds_are_told_apart_by_keys(tmp_path):
    base = pd.Timestamp("2020-03-01T06:00")
    path = tmp_path / "both.grib"
    path.write_bytes(message("2t", temperature(0), base) + message("tp", np.ones(SHAPE), base, 6, "accum"))
    held = read_grib(path, filter_by_keys={"shortName": "2t"})
    assert list(held.data_vars) == ["t2m"]


def test_a_sample_of_levels_and_members():
    folder = os.environ.get("CREST_DATA_DIR")
    if not folder:
        pytest.skip("CREST_DATA_DIR is not set: the folder of real data")
    held = read_grib(Path(folder) / "era5_small" / "era5-levels-members.grib", ["t"])
    check_convention(held)
    assert dict(held["t"].sizes) == {"time": 4, "member": 10, "isobaricInhPa": 2, "y": 61, "x": 120}
    assert float(held["lon"].min()) == -180.0 and held["lat"].values[0] == -90.0
    assert 180.0 < float(held["t"].min()) and float(held["t"].max()) < 320.0
