"""Parquet tables: columns of numbers and dates, checked before they are read."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crest_data.errors import DataError
from crest_data.readers.parquet import read_parquet
from crest_data.variable import Variable

RAIN = {"P": Variable("rain", "mm day-1")}
HERE = {"gauge": (50.0, 8.0)}


def written(tmp_path, **columns):
    days = pd.date_range("2001-01-01", periods=3, unit="ns")
    table = {"time": pa.array(days), "P": pa.array([1.0, None, 3.0]), **columns}
    pq.write_table(pa.table(table), tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


def read(path, variables=RAIN, **arguments):
    return read_parquet(path, variables, **{"places": HERE, "step": "1D", **arguments})


def test_columns_become_variables(tmp_path):
    held = read(written(tmp_path))
    np.testing.assert_array_equal(held["rain"].values[:, 0], [1.0, np.nan, 3.0])
    assert held["cell_id"].values.tolist() == ["gauge"]


def test_dates_with_a_zone_become_utc(tmp_path):
    days = pd.date_range("2001-01-01", periods=3, freq="1h", tz="Europe/Berlin")
    held = read(written(tmp_path, time=pa.array(days)), step="1h")
    assert held["time"].values[0] == np.datetime64("2000-12-31T23:00")
    assert "time: Europe/Berlin -> UTC" in held.attrs["changes"]


def test_cells_stand_side_by_side(tmp_path):
    days = pd.to_datetime(["2001-01-01", "2001-01-01", "2001-01-02", "2001-01-02"]).as_unit("ns")
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"time": days, "id": ["a", "b", "a", "b"], "P": [1, 2, 3, 4]}), path)
    held = read(path, cell="id", places={"a": (1.0, 2.0), "b": (3.0, 4.0)})
    assert held["rain"].values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"P": pa.array(["a", "b", "c"])}, {}, "column 'P': expected numbers, got string"),
        ({"time": pa.array([1, 2, 3])}, {}, "column 'time': expected dates, got int64"),
        ({}, {"variables": {"p": RAIN["P"]}}, "no column 'p'; it holds time, P"),
        (
            {},
            {"max_bytes": 40},
            "3 rows of 2 columns take 48 bytes, the limit is 40; raise max_bytes or split the file",
        ),
        (
            {"time": pa.array([None, None, None], pa.timestamp("ns"))},
            {},
            "time: no date at index 0; remove or repair that row",
        ),
    ],
)
def test_a_fault_is_told_with_its_file_and_column(columns, arguments, said, tmp_path):
    path = written(tmp_path, **columns)
    with pytest.raises(DataError) as caught:
        read(path, **arguments)
    assert str(caught.value).startswith(str(path)) and said in str(caught.value)


@pytest.mark.parametrize("length", [3, 30])
def test_a_file_that_is_cut_off_is_named(length, tmp_path):
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="data.parquet: (cannot be read|expected parquet)"):
        read(path)


def test_damaged_pages_are_found(tmp_path):
    path = written(tmp_path)
    held = bytearray(path.read_bytes())
    held[8:40] = bytes(32)
    path.write_bytes(held)
    with pytest.raises(DataError, match="data.parquet: cannot be read"):
        read(path)
