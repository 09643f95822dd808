"""Zarr stores: as netCDF, and no array is decoded by a codec that could run code."""

import json

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from crest_data.errors import DataError
from crest_data.readers.zarr import read_zarr

DAYS = np.arange("2001-01-01", "2001-01-06", dtype="datetime64[D]").astype("datetime64[ns]")


def dataset():
    values = 280.0 + np.arange(15.0).reshape(5, 3)
    attributes = {"units": "K", "cell_methods": "time: mean"}
    places = {"station": ["a", "b", "c"], "lat": ("station", [1.0, 2.0, 3.0]), "lon": ("station", [4.0, 5.0, 186.0])}
    return xr.Dataset({"tas": (("time", "station"), values, attributes)}, {"time": DAYS, **places})


@pytest.fixture(params=[2, 3], ids=["format 2", "format 3"])
def store(request, tmp_path):
    path = tmp_path / "data.zarr"
    dataset().to_zarr(path, zarr_format=request.param, consolidated=False, encoding={"tas": {"chunks": (1, 3)}})
    return path


@pytest.mark.filterwarnings("ignore:.*consolidated metadata")
@pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification")
class TestStores:
    def test_a_store_comes_out_in_the_convention(self, store):
        held = read_zarr(store, step="1D")
        assert held["tas"].values.tolist() == dataset()["tas"].values.tolist()
        assert held["cell_id"].values.tolist() == ["a", "b", "c"] and held["lon"].values.tolist() == [4.0, 5.0, -174.0]

    def test_lazily_gives_the_same_as_in_memory(self, store):
        lazy = read_zarr(store, step="1D", chunks={})
        assert lazy["tas"].chunks is not None
        told = [line for line in lazy.attrs["changes"].split("\n") if "read lazily, not searched" not in line]
        lazy = lazy.load().assign_attrs(changes="\n".join(told))
        xr.testing.assert_identical(lazy, read_zarr(store, step="1D"))

    def test_size_is_checked_before_reading(self, store):
        with pytest.raises(DataError, match="in memory .tas: .5, 3.., the limit is"):
            read_zarr(store, ["tas"], step="1D", max_bytes=60)
        with pytest.raises(DataError, match="one chunk of .* takes .* bytes, the limit is 16"):
            read_zarr(store, step="1D", max_bytes=16)

    def test_a_store_of_damaged_metadata_is_named(self, store):
        name = "zarr.json" if (store / "zarr.json").is_file() else ".zarray"
        (store / "tas" / name).write_text("{")
        with pytest.raises(DataError, match="no readable metadata .*; is the store whole"):
            read_zarr(store, step="1D")
        (store / "tas" / name).write_text("[]")
        with pytest.raises(DataError, match="expected an object"):
            read_zarr(store, step="1D")

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            (
                "fill_value",
                "x",
                "array tas has the fill value 'x', expected a number or none; correct fill_value",
            ),
            ("shape", "x", "cannot be read .*; is it cut off or damaged"),
            ("codecs", 5, "array tas: no readable metadata .*; is the store whole"),
        ],
    )
    def test_metadata_of_another_kind_are_told_with_their_array(self, store, key, value, said):
        is_old = (store / "tas" / ".zarray").is_file()
        path = store / "tas" / (".zarray" if is_old else "zarr.json")
        key = "compressor" if is_old and key == "codecs" else key
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, key: value}))
        with pytest.raises(DataError, match=f"data.zarr: {said}"):
            read_zarr(store, step="1D")

    def test_a_damaged_chunk_is_named(self, store):
        chunk = next(
            path
            for path in (store / "tas").rglob("*")
            if path.is_file() and not path.name.endswith(("json", "zarray", "zattrs"))
        )
        chunk.write_bytes(chunk.read_bytes()[:5])
        with pytest.raises(DataError, match="data.zarr: cannot be read"):
            read_zarr(store, step="1D")


def test_a_pickle_is_not_loaded(tmp_path):
    """The codec `pickle` would run whatever the chunk says."""
    path = tmp_path / "evil.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("tas", shape=(2,), dtype="f8", chunks=(2,))
    metadata = json.loads((path / "tas" / ".zarray").read_text())
    metadata |= {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 4}], "compressor": None}
    (path / "tas" / ".zarray").write_text(json.dumps(metadata))

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (path / "tas" / "0").write_bytes(numcodecs.Pickle().encode(np.array([Trap(), 1.0], dtype=object)))
    with pytest.raises(DataError, match="array tas is written with the codec 'pickle', which is not decoded here"):
        read_zarr(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}]},
            "with the codec 'pickle', which is not decoded",
        ),
        (
            {"codecs": [{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "json2"}]}}]},
            "the codec 'json2'",
        ),
        (
            {"data_type": {"name": "struct", "configuration": {}}},
            "holds struct, objects or records; expected numbers or",
        ),
        (
            {"chunk_grid": {"configuration": {"chunk_shape": [-1]}}},
            "has chunks [-1], expected sizes; is the store whole?",
        ),
        ({"chunk_grid": {"configuration": {"chunk_shape": [10**6, 10**6]}}}, "takes 8000000000000 bytes, the limit is"),
    ],
)
def test_unknown_arrays_of_format_3_are_refused(change, said, tmp_path):
    path = tmp_path / "data.zarr"
    zarr.open_group(path, mode="w", zarr_format=3).create_array("tas", shape=(2,), dtype="f8")
    metadata = json.loads((path / "tas" / "zarr.json").read_text())
    (path / "tas" / "zarr.json").write_text(json.dumps(metadata | change))
    with pytest.raises(DataError) as caught:
        read_zarr(path)
    assert said in str(caught.value)


def test_objects_of_format_2_are_refused(tmp_path):
    path = tmp_path / "data.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).create_array("tas", shape=(2,), dtype="f8")
    metadata = json.loads((path / "tas" / ".zarray").read_text())
    (path / "tas" / ".zarray").write_text(json.dumps(metadata | {"dtype": "|O"}))
    with pytest.raises(DataError, match=r"array tas holds \|O, objects or records; expected numbers or text"):
        read_zarr(path)


def test_only_local_folders_with_a_group_are_opened(tmp_path):
    with pytest.raises(DataError, match="there is no such folder; a Zarr store is a local folder"):
        read_zarr("https://example.org/data.zarr")
    with pytest.raises(DataError, match="no Zarr group"):
        read_zarr(tmp_path)
    deep = tmp_path / "deep.zarr"
    for depth in range(12):
        (deep / "/".join(["g"] * depth)).mkdir(exist_ok=True, parents=True)
    (deep / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(DataError, match="groups lie more than 8 deep"):
        read_zarr(deep)


def test_a_group_lies_within_the_store(tmp_path):
    zarr.open_group(tmp_path / "data.zarr", mode="w", zarr_format=2)
    with pytest.raises(DataError, match="the group '../other' is outside of the store"):
        read_zarr(tmp_path / "data.zarr", group="../other")
