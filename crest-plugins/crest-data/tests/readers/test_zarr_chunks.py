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


def test_a_lost_chunk_that_would_read_as_a_number_is_refused_unless_asked_for(tmp_path):
    path = written(tmp_path / "rain.zarr", 0)
    whole = read_zarr(path, step="1D")
    assert "chunks" not in whole.attrs["changes"]
    (path / "pr" / "c" / "1" / "0" / "0").unlink()
    with pytest.raises(DataError, match=r"pr lacks 1 of 3 chunks, which read as 0.*say missing_chunks='fill'"):
        read_zarr(path, step="1D")
    filled = read_zarr(path, step="1D", missing_chunks="fill")
    assert filled["pr"].values[:, 0, 0].tolist() == [3.0, 3.0, 0.0, 0.0, 3.0, 3.0]
    assert "pr lacks 1 of 3 chunks, read as 0" in filled.attrs["changes"]
    with pytest.raises(DataError, match="missing_chunks 'zero': expected 'fill'"):
        read_zarr(path, step="1D", missing_chunks="zero")


def test_a_chunk_that_means_missing_is_told(tmp_path):
    path = written(tmp_path / "rain.zarr", float("nan"))
    (path / "pr" / "c" / "1" / "0" / "0").unlink()
    held = read_zarr(path, step="1D")
    assert held["pr"].isnull().sum() == 8
    assert "pr lacks 1 of 3 chunks, read as missing" in held.attrs["changes"]
