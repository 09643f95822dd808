"""IcechunkArchive: a run through it is the run without it, and one that resumes the one that never stopped."""

import pytest
import torch
import xarray as xr
from crest_store import IcechunkArchive, Stream

from crest_core import StoreError, simulate


def everything(archive):
    """Return all that a run holds, as plain values."""
    state, attributes = archive.load()
    streams = {name: archive.open(name).load() for name in ("steps", "monthly")}
    return {name: value.numpy().tobytes() for name, value in state.items()}, attributes, streams


def test_a_run_through_the_archive_is_the_run_without_it(tmp_path, small):
    straight = simulate(small.graph(), small.weather, window="10D")
    kept = small.run(IcechunkArchive(tmp_path / "run"))
    xr.testing.assert_identical(kept.load().drop_attrs(deep=False), straight.drop_attrs(deep=False))
    assert kept.attrs["forcing_hash"] == straight.attrs["forcing_hash"]
    assert kept.attrs["time_coverage_start"] == "2001-01-01T00:00:00"


def test_a_restart_after_each_cycle_changes_no_bit(tmp_path, small):
    streams = {"steps": Stream(), "monthly": Stream(every="1MS", statistic="max", fields=("runoff", "storage"))}
    with IcechunkArchive(tmp_path / "straight", history=streams) as archive:
        small.run(archive)
        straight = everything(archive)
    for number, end in enumerate([*small.ends, None]):
        with IcechunkArchive(tmp_path / "cut", history=streams) as archive:
            small.run(archive, end, resume=number > 0)
    with IcechunkArchive(tmp_path / "cut") as archive:
        cut = everything(archive)
    assert cut[:2] == straight[:2]
    for name, stream in straight[2].items():
        small.same(cut[2][name], stream)


def test_a_run_goes_on_from_any_kept_cycle(tmp_path, small):
    with IcechunkArchive(tmp_path / "run", keep=1, keep_every=2) as archive:
        straight = small.run(archive).load()
        state, attributes = archive.load()
        archive.back_to(4)
        assert archive.load()[1]["time"] == "2001-02-04T00:00:00"
        assert archive.open().sizes["time"] == 60  # until the next commit
        again = small.run(archive, resume=True)
        small.same(again.load(), straight)
        assert archive.load()[1] == attributes
        assert {name: value.tolist() for name, value in archive.load()[0].items()} == {
            name: value.tolist() for name, value in state.items()
        }
        with pytest.raises(StoreError, match="cycle 3 has no restart; kept are 2, 4, 6, 7"):
            archive.back_to(3)


def test_a_window_must_start_where_the_run_ends(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, end="2001-01-19")
        with pytest.raises(StoreError, match="holds cycles up to 2001-01-19T00:00:00 .* starts at 2001-01-01"):
            small.run(archive)
        assert archive.open().sizes["time"] == 18


def test_a_run_keeps_the_streams_that_it_was_begun_with(tmp_path, small):
    with IcechunkArchive(tmp_path / "run", history={"daily": Stream()}) as archive:
        small.run(archive, end="2001-01-19")
    with IcechunkArchive(tmp_path / "run", history={"daily": Stream(fields=("runoff",))}) as archive:
        with pytest.raises(StoreError, match=r"other history streams \(differing: daily\); leave history out"):
            small.run(archive, resume=True)


def test_states_of_every_number_type_keep_their_bits(tmp_path, small):
    outputs = simulate(small.graph(), small.weather, end="2001-01-05")
    state = {
        "half": torch.tensor([1.5, -0.0], dtype=torch.bfloat16),
        "../odd name/..": torch.tensor([float("nan"), -0.0], dtype=torch.float64),
        "payload": torch.tensor([0x7FC00001], dtype=torch.int32).view(torch.float32),
        "scalar": torch.tensor(-0.0),
        "count": torch.tensor(7),
        "flags": torch.tensor([[True, False]]),
        "empty": torch.zeros((0, 3)),
        ".": torch.tensor([1], dtype=torch.uint8),
    }
    attributes = {"start": "2001-01-01T00:00:00", "time": "2001-01-05T00:00:00", "calendar": "standard"}
    with IcechunkArchive(tmp_path / "run") as archive:
        archive.commit(outputs, state, attributes)
        loaded, found = archive.load()
    assert found == attributes and loaded.keys() == state.keys()
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype and loaded[name].shape == value.shape
        assert loaded[name].flatten().view(torch.uint8).equal(value.flatten().view(torch.uint8))


def test_a_place_without_a_run_says_so(tmp_path):
    with pytest.raises(StoreError, match="there is no run"):
        IcechunkArchive(tmp_path / "none").load()
    with pytest.raises(StoreError, match="ftp:// is not known; expected a folder, s3"):
        IcechunkArchive("ftp://host/run").load()
