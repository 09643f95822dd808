"""What is damaged beyond repair, or older than the ledger, is told before anything is written."""

import json
import random

import pytest
from crest_store import DamageError, DamageWarning, IcechunkArchive, open_run
from crest_store.ledger import Ledger
from crest_store.verification import verify

from crest_core import simulate


@pytest.fixture
def folder(tmp_path, small):
    """A run of 4 cycles."""
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, small.ends[3])
    return tmp_path / "run"


def test_a_run_whose_record_lost_a_chunk_is_not_gone_on_with(tmp_path, small):
    folder = tmp_path / "run"
    long = {"note": random.Random(1).randbytes(6000).hex()}  # so that two cycles fill a chunk, which later ones share
    with IcechunkArchive(folder) as archive:
        simulate(small.graph(), small.weather, end=small.ends[3], window="10D", archive=archive, record=long)
    chunks = sorted((folder / "chunks").iterdir())
    for lost in chunks:
        content = lost.read_bytes()
        lost.unlink()
        try:
            open_run(folder).cycles()
        except DamageError as error:
            if "record chunk (0,)" in str(error):  # of the first cycles, which all later ones hold
                open_run(folder).history().load()
                break
        finally:
            lost.write_bytes(content)
    lost.unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}
    with pytest.raises(
        DamageError, match=f"record of its cycles is damaged .*{lost.name}.* nothing was changed: bring"
    ):
        IcechunkArchive(folder).load()
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before
    lost.write_bytes(content)
    assert IcechunkArchive(folder).load()[1]["time"] == open_run(folder).record()["time"]


def test_a_reader_is_told_of_a_branch_that_is_older_than_the_ledger(folder, small):
    reference = folder / "refs" / "branch.main" / "ref.json"
    newest = reference.read_bytes()
    chain = Ledger(folder).chains["main"]
    reference.write_text(json.dumps({"snapshot": chain[2].snapshot}))
    with pytest.warns(
        DamageWarning, match=r"read at cycle 2: .*ref.json names the end of cycle 2, the ledger knows cycle 4"
    ):
        assert open_run(folder).cycles() == [1, 2]
    with pytest.warns(DamageWarning, match="written anew from the ledger"), IcechunkArchive(folder) as archive:
        archive.load()
    assert json.loads(reference.read_bytes()) == json.loads(newest)
    assert open_run(folder).cycles() == [1, 2, 3, 4]


def test_a_run_without_any_ledger_is_not_called_whole(folder):
    for name in ("ledger", "ledger.copy", "lock"):
        (folder / "crest" / name).unlink()
    (folder / "crest").rmdir()
    (problem,) = verify(folder)
    assert "has no ledger: nothing can be verified" in problem
