"""Other storages than a folder, readers beside a writer, and what is refused."""

import icechunk
import numpy as np
import pytest
import zarr
from crest_store import IcechunkArchive, StreamError, open_run
from crest_store.verification import verify

from crest_core import StoreError, registry


def test_the_registry_knows_the_archive():
    assert registry().load("archives", "icechunk") is IcechunkArchive


def test_an_object_store_takes_a_run_and_refuses_the_second_of_two_commits(small):
    storage = icechunk.in_memory_storage()
    with IcechunkArchive(storage) as archive:
        small.run(archive, small.ends[0])
        late = archive._writer.repository.writable_session("main")
        zarr.open_group(late.store).attrs["late"] = 1
        assert small.run(archive, small.ends[1], resume=True).sizes["time"] == 14
        with pytest.raises(icechunk.ConflictError):
            late.commit("late")
        archive.branch_from(1, "dry")
    assert open_run(storage).cycles() == [1, 2] and open_run(storage, "dry").cycles() == [1]
    assert verify(storage) == []


def test_a_reader_keeps_what_it_opened_while_a_driver_writes(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, small.ends[0])
        early = open_run(tmp_path / "run")
        small.run(archive, small.ends[1], resume=True)
        assert early.history().sizes["time"] == 4 and early.cycles() == early.restarts() == [1]
        assert open_run(tmp_path / "run").cycles() == [1, 2]
        assert early.restart()[1]["time"] == early.record(1)["time"] == "2001-01-05T00:00:00"
        with pytest.raises(StoreError, match="cycle 9 is not committed; it has 1 cycles"):
            early.record(9)
        with pytest.raises(StoreError, match="cycle 9 has no restart; kept are 1"):
            early.restart(9)


def test_a_run_without_a_cycle_can_be_looked_at(tmp_path):
    IcechunkArchive(tmp_path / "run").__enter__().close()
    run = open_run(tmp_path / "run")
    assert run.cycles() == run.restarts() == run.streams() == []
    with pytest.raises(StoreError, match="no committed cycle yet"):
        run.history()
    with pytest.raises(StoreError, match="no committed cycle yet"):
        IcechunkArchive(tmp_path / "run").load()


def test_branches_have_names_and_exist_once(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, small.ends[0])
        archive.branch_from(1, "dry")
        archive.branch_from(1, "dry")  # as after a kill before its first cycle
        small.run(archive, small.ends[1], resume=True)
        with pytest.raises(StoreError, match="has a branch 'dry'; branches: dry, main"):
            archive.branch_from(2, "dry")
    with IcechunkArchive(tmp_path / "run", branch="dry") as dry:
        small.run(dry, small.ends[1], resume=True)
    with IcechunkArchive(tmp_path / "run") as archive:
        with pytest.raises(StoreError, match="has a branch 'dry'; branches: dry, main"):
            archive.branch_from(1, "dry")
        with pytest.raises(StoreError, match=r"expected a name \[a-z0-9\]"):
            archive.branch_from(1, "../dry")
        with pytest.raises(StoreError, match="cycle 5 has no restart; kept are 1"):
            archive.branch_from(5, "wet")
    with pytest.raises(StoreError, match="branch 'wet' does not exist; branches: dry, main"):
        open_run(tmp_path / "run", "wet")


def test_objects_and_codecs_that_could_be_code_are_refused(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        outputs = small.run(archive, small.ends[0]).load()
        days = {"start": "2001-01-05T00:00:00", "time": "2001-01-09T00:00:00", "calendar": "standard"}
        things = outputs.assign_coords(thing=("cell", np.array([{}, {}, {}], dtype=object)))
        with pytest.raises(StoreError, match="thing: values of type object are not stored; make them numbers or text"):
            IcechunkArchive(tmp_path / "things").commit(things, {}, days)
        with pytest.raises(StoreError, match="must be JSON values"):
            IcechunkArchive(tmp_path / "json").commit(outputs, {}, {**days, "seed": object()})
        with pytest.raises(StoreError, match="attributes of a cycle lack calendar"):
            IcechunkArchive(tmp_path / "lacks").commit(outputs, {}, {"start": "", "time": ""})
        with pytest.raises(StoreError, match="keep=0, keep_every=0: expected at least 1"):
            IcechunkArchive(tmp_path / "none", keep=0)
    storage = icechunk.in_memory_storage()
    with IcechunkArchive(storage) as archive:
        small.run(archive, small.ends[0])
    session = icechunk.Repository.open(storage).writable_session("main")
    with pytest.warns(UserWarning, match="Numcodecs"):
        strange = zarr.codecs.numcodecs.PackBits()
        zarr.create_array(session.store, name="history/outputs/odd", shape=(8,), dtype="bool", filters=[strange])
    session.commit("odd")
    with pytest.raises(StoreError, match=r"has codecs \['numcodecs.packbits'\]; a run has only .*: left unread"):
        open_run(storage).history()
    assert issubclass(StreamError, StoreError) and issubclass(StoreError, OSError)
