"""Crashes and faults at known points: files are put as a kill there would leave them."""

import shutil
import warnings

import icechunk
import pytest
import xarray as xr
from crest_store import DamageWarning, IcechunkArchive, Stream, StreamError, open_run
from crest_store.durable import FOLDERS
from crest_store.expiry import expire
from crest_store.ledger import COPIES, Ledger, Line
from crest_store.verification import verify

from crest_core import StoreError

SYSTEM = (".DS_Store", ".Spotlight-V100", "desktop.ini", "Thumbs.db", "lost+found")


@pytest.fixture
def before_and_after(tmp_path, small):
    """Return a run of two cycles, and a copy of it before the second."""
    folder, before = tmp_path / "run", tmp_path / "before"
    with IcechunkArchive(folder) as archive:
        small.run(archive, small.ends[0])
    shutil.copytree(folder, before)
    with IcechunkArchive(folder) as archive:
        small.run(archive, small.ends[1], resume=True)
    return folder, before


def put_back(folder, before, *names):
    for name in names:
        shutil.copyfile(before / name, folder / name)


def cycles(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with IcechunkArchive(folder) as archive:
            return archive.restarts()


def test_a_kill_before_the_ledger_leaves_the_cycle_out(before_and_after, small):
    folder, before = before_and_after
    put_back(folder, before, *COPIES, "refs/branch.main/ref.json")
    (folder / "chunks").mkdir(exist_ok=True)
    (folder / "chunks" / "HALFWRITTEN#1").write_bytes(b"half")
    assert open_run(folder).cycles() == [1]
    assert cycles(folder) == [1] and not list((folder / "chunks").glob("*#*"))
    with IcechunkArchive(folder) as archive:
        assert small.run(archive, small.ends[1], resume=True).sizes["time"] == 14
    expire(folder, keep=1)
    assert verify(folder) == []


def test_a_kill_between_ledger_and_branch_is_finished_by_the_next_driver(before_and_after):
    folder, before = before_and_after
    put_back(folder, before, "refs/branch.main/ref.json")
    assert open_run(folder).cycles() == [1]  # not committed until the branch has moved
    assert cycles(folder) == [1, 2]
    assert open_run(folder).cycles() == [1, 2]


@pytest.mark.parametrize("rest", [b"", b'{"branch": "ma'])
def test_a_kill_between_the_copies_of_the_ledger_is_mended(before_and_after, rest):
    folder, before = before_and_after
    put_back(folder, before, COPIES[1], "refs/branch.main/ref.json")
    with open(folder / COPIES[1], "ab") as file:
        file.write(rest)
    with pytest.warns(DamageWarning, match="ledger.copy lacks 1 lines; the other copy is whole"):
        with IcechunkArchive(folder) as archive:
            assert archive.restarts() == [1, 2]
    assert verify(folder) == []


def test_a_kill_while_a_branch_is_made_is_finished(tmp_path, small):
    folder = tmp_path / "run"
    with IcechunkArchive(folder) as archive:
        small.run(archive, small.ends[2])
        archive.branch_from(2, "dry")
    shutil.rmtree(folder / "refs" / "branch.dry")
    assert cycles(folder) == [1, 2, 3]
    assert open_run(folder, "dry").restarts() == [1, 2]


def test_a_kill_in_an_expiry_is_undone(before_and_after):
    folder, before = before_and_after
    old = folder.with_name("old")
    shutil.copytree(folder, old)
    lines = len((folder / COPIES[0]).read_bytes().splitlines())
    expire(folder, keep=1)
    rewritten = [path.name for path in (folder / "snapshots").iterdir()]
    for name in rewritten:  # as Icechunk leaves them before the ledger is written
        if (old / "snapshots" / name).read_bytes() != (folder / "snapshots" / name).read_bytes():
            (old / "crest" / f"aside-{lines}" / "snapshots").mkdir(parents=True)
            shutil.copyfile(old / "snapshots" / name, old / "crest" / f"aside-{lines}" / "snapshots" / name)
            shutil.copyfile(folder / "snapshots" / name, old / "snapshots" / name)
    assert list((old / "crest").glob("aside-*")) and verify(old)
    assert cycles(old) == [1, 2] and not list((old / "crest").glob("aside-*"))
    assert verify(old) == []


@pytest.mark.parametrize("torn", [COPIES, COPIES[:1]], ids=["both copies", "the first copy"])
def test_a_kill_in_the_first_line_of_the_ledger_is_mended(tmp_path, small, torn):
    folder = tmp_path / "run"
    IcechunkArchive(folder).__enter__().close()
    text = (folder / COPIES[0]).read_bytes()
    for name in COPIES:
        (folder / name).unlink()
    for name in torn:
        (folder / name).write_bytes(text[:40])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with IcechunkArchive(folder) as archive:
            small.run(archive, small.ends[0])
        assert cycles(folder) == open_run(folder).cycles() == [1] and verify(folder) == []


def test_a_kill_while_a_run_is_made_leaves_a_place_for_one(tmp_path, small):
    folder = tmp_path / "run"
    IcechunkArchive(folder).__enter__().close()
    shutil.rmtree(folder / "refs")
    for name in COPIES:
        (folder / name).unlink()
    (folder / "crest" / "new").mkdir()
    with IcechunkArchive(folder) as archive:
        assert small.run(archive, small.ends[0]).sizes["time"] == 4


def test_a_commit_that_fails_leaves_the_run_as_it_was(before_and_after, small):
    folder, _ = before_and_after
    committed = open_run(folder).history().load()
    with IcechunkArchive(folder) as archive:
        archive.load()
        (folder / COPIES[1]).rename(folder / "crest" / "away")
        (folder / COPIES[1]).mkdir()
        with pytest.raises(StoreError, match="ledger.copy cannot be written: .*Is a directory"):
            small.run(archive, small.ends[2], resume=True)
        xr.testing.assert_identical(archive.open().load(), committed)
        (folder / COPIES[1]).rmdir()
        (folder / "crest" / "away").rename(folder / COPIES[1])
        assert small.run(archive, small.ends[2], resume=True).sizes["time"] == 24
    assert cycles(folder) == [1, 2, 3] and verify(folder) == []


def test_a_folder_of_other_files_is_left_alone(tmp_path, small):
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(StoreError, match=r"holds other files \(letter.txt\); give a run a folder of its own"):
        small.run(IcechunkArchive(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is a file; a run is a folder or an object store URL"):
        small.run(IcechunkArchive(tmp_path / "file"))


def test_a_link_that_leads_to_itself_is_told(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "run")
    with pytest.raises(StoreError, match="the path cannot be followed .* does a link lead to itself"):
        open_run(tmp_path / "run")


def test_a_branch_that_could_not_be_made_leaves_nothing_to_be_finished(before_and_after):
    folder, _ = before_and_after
    with IcechunkArchive(folder) as archive:
        with pytest.raises(StoreError, match="branch y+ of run .* failed: "):
            archive.branch_from(2, "y" * 250)
    assert cycles(folder) == [1, 2] and open_run(folder).branches() == ["main"]
    assert verify(folder) == []


def test_a_run_that_fails_before_its_first_cycle_leaves_nothing(tmp_path, small):
    folder = tmp_path / "results" / "run"
    wrong = {"own": Stream(fields=("cold",))}
    for _ in range(2):
        with pytest.raises(StreamError, match="do not exist"), IcechunkArchive(folder, history=wrong) as archive:
            archive.check(small.graph().outputs, small.weather)
        assert not list(tmp_path.iterdir())
    with pytest.raises(StreamError, match="do not exist"), IcechunkArchive(folder, history=wrong) as archive:
        small.run(archive, small.ends[0])  # it fails in the middle of its first commit
    assert not list(tmp_path.iterdir())
    with IcechunkArchive(folder) as archive:
        assert small.run(archive, small.ends[0]).sizes["time"] == 4


def test_a_failure_deletes_no_run_and_no_file_of_others(tmp_path, small):
    for folder in (tmp_path / "empty", tmp_path / "run"):
        folder.mkdir()
        with IcechunkArchive(folder) as archive:
            if folder.name == "run":
                small.run(archive, small.ends[0])
        with pytest.raises(KeyError), IcechunkArchive(folder) as archive:
            raise KeyError
        assert verify(folder) == [] and open_run(folder).cycles() == ([1] if folder.name == "run" else [])
    (tmp_path / "made").mkdir()
    with pytest.raises(KeyError), IcechunkArchive(tmp_path / "made") as archive:
        (tmp_path / "made" / "letter").touch()
        raise KeyError
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["letter"]


def test_a_failure_deletes_no_repository_that_was_there_without_a_cycle(tmp_path):
    folder = tmp_path / "run"
    icechunk.Repository.create(icechunk.local_filesystem_storage(str(folder)))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(KeyError), IcechunkArchive(folder):
        raise KeyError
    assert {path: path.read_bytes() for path in before} == before
    assert icechunk.Repository.exists(icechunk.local_filesystem_storage(str(folder)))


@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(b"altered"), lambda file: file.unlink()])
def test_files_of_systems_hinder_nothing_wherever_they_are_and_whatever_becomes_of_them(tmp_path, small, harm):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in SYSTEM:
        (folder / name).touch()
    places = ["", *FOLDERS, "refs", "refs/branch.main", "crest"]
    with IcechunkArchive(folder) as archive:
        small.run(archive, small.ends[0])
        for file in [folder / place / name for place in places for name in SYSTEM]:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"Bud1")
        small.run(archive, small.ends[1], resume=True)
        archive.branch_from(1, "dry")
    for file in [folder / place / name for place in places for name in SYSTEM]:
        harm(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cycles(folder) == open_run(folder).cycles() == [1, 2] and verify(folder) == []
        assert open_run(folder).branches() == ["dry", "main"]
        expire(folder, keep=1)
    assert verify(folder) == []


def test_a_file_of_a_system_in_an_older_ledger_is_ignored(before_and_after):
    folder, _ = before_and_after
    stray = {"chunks/Thumbs.db": ("0" * 64, 9)}
    end = open_run(folder).snapshot
    Ledger(folder).append(Line("commit", "main", end, end, 2, stray))
    assert cycles(folder) == open_run(folder).cycles() == [1, 2] and verify(folder) == []


def test_a_folder_of_a_run_holds_no_letters(tmp_path):
    IcechunkArchive(tmp_path / "run").__enter__().close()
    (tmp_path / "run" / "letter.txt").touch()
    with pytest.raises(StoreError, match=r"holds other files \(letter.txt\)"):
        IcechunkArchive(tmp_path / "run").load()
