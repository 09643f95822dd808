"""Chunks that are not there: told where they mean missing, refused where they would be numbers."""

import numpy as np
import pytest
import zarr
from crest_data.errors import DataError
from crest_data.readers.zarr import read_zarr


def written(path, fill, **attributes):
    """Write rain of 3 mm a day on a grid, in three chunks."""
    group = zarr.open_group(path, mode="w")
    for name, values, chunks, own in (
        ("time", np.arange(6), (6,), {"units": "days since 2000-01-01", "calendar": "standard"}),
        ("lat", np.array([45.0, 46.0]), (2,), {"units": "degrees_north"}),
        ("lon", np.array([0.0, 1.0]), (2,), {"units": "degrees_east"}),
        ("pr", np.full((6, 2, 2), 3.0, "f4"), (2, 2, 2), {"units": "mm day-1", "cell_methods": "time: mean"}),
    ):
        dims = ("time", "lat", "lon") if name == "pr" else (name,)
        value = fill if name == "pr" else 0
        array = group.create_array(
            name, shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=value, dimension_names=dims
        )
        array[:] = values
        array.attrs.update(own | (attributes if name == "pr" else {}))
    return path


def lose(path, *indices):
    for index in indices:
        (path / "pr" / "c" / str(index) / "0" / "0").unlink()
    return path


def test_a_lost_chunk_that_would_read_as_a_number_is_refused_unless_asked_for(tmp_path):
    path = written(tmp_path / "rain.zarr", 0)
    assert "chunks" not in read_zarr(path, step="1D").attrs["changes"]
    lose(path, 1)
    with pytest.raises(
        DataError, match=r"pr lacks 1 of 3 chunks \(the first is 1.0.0\), read as 0.*missing_chunks='fill'"
    ):
        read_zarr(path, step="1D")
    filled = read_zarr(path, step="1D", missing_chunks="fill")
    assert filled["pr"].values[:, 0, 0].tolist() == [3.0, 3.0, 0.0, 0.0, 3.0, 3.0]
    assert "pr lacks 1 of 3 chunks (the first is 1.0.0), read as 0" in filled.attrs["changes"]
    with pytest.raises(DataError, match="missing_chunks 'zero': expected 'fill'"):
        read_zarr(path, step="1D", missing_chunks="zero")


@pytest.mark.parametrize(("fill", "attributes"), [(np.nan, {}), (-1, {"missing_value": -1.0})])
def test_a_chunk_that_means_missing_is_told_in_changes_and_quality(tmp_path, fill, attributes):
    path = lose(written(tmp_path / "rain.zarr", fill, **attributes), 1)
    held = read_zarr(path, step="1D")
    assert held["pr_quality"].values[:, 0, 0].tolist() == [0, 0, 1, 1, 0, 0]
    assert np.isnan(held["pr"].values[2:4]).all()
    assert "pr lacks 1 of 3 chunks (the first is 1.0.0), read as missing" in held.attrs["changes"]


def test_a_variable_without_any_chunk_is_refused_also_where_that_means_missing(tmp_path):
    path = lose(written(tmp_path / "rain.zarr", np.nan), 0, 1, 2)
    with pytest.raises(DataError, match=r"pr lacks all 3 chunks \(the first is 0.0.0\), read as missing"):
        read_zarr(path, step="1D")
    assert read_zarr(path, step="1D", missing_chunks="fill")["pr"].isnull().all()


def test_quality_that_is_good_throughout_and_so_has_no_chunk_is_read(tmp_path):
    held = read_zarr(lose(written(tmp_path / "rain.zarr", np.nan), 1), step="1D")
    held = held.drop_vars(["pr_quality"]).assign(pr_quality=held["pr_quality"] * np.uint8(0))
    held["pr_quality"].attrs = {"flag_values": [0, 1, 2, 3], "flag_meanings": "good missing rejected filled"}
    held.to_zarr(tmp_path / "again.zarr", zarr_format=3, consolidated=False, encoding={"pr": {"chunks": (2, 2, 2)}})
    again = read_zarr(tmp_path / "again.zarr")
    assert "pr_quality lacks all" in again.attrs["changes"]
    assert again["pr"].values[:2].tolist() == held["pr"].values[:2].tolist()


@pytest.mark.parametrize("separator", [".", "/"])
def test_stores_of_format_2_are_counted_alike(tmp_path, separator):
    path = tmp_path / "rain.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    source = zarr.open_group(written(tmp_path / "source.zarr", 0), mode="r")
    for name, array in source.arrays():
        copy = group.create_array(
            name, shape=array.shape, chunks=array.chunks, dtype=array.dtype, fill_value=None,
            chunk_key_encoding={"name": "v2", "separator": separator},
        )  # fmt: skip
        copy[:] = array[:]
        copy.attrs.update(dict(array.attrs) | {"_ARRAY_DIMENSIONS": list(array.metadata.dimension_names)})
    assert (read_zarr(path, step="1D")["pr"] == 3.0).all()
    (path / "pr" / separator.join("200")).unlink()
    with pytest.raises(DataError, match=r"pr lacks 1 of 3 chunks \(the first is 2.0.0\), read as what is not told"):
        read_zarr(path, step="1D")
