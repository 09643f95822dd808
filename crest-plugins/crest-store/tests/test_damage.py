"""Damaged files: seen before use, named, and the newest whole cycle used instead."""

import json
import re
import shutil
import warnings
from hashlib import sha256

import numpy as np
import pytest
import torch
import xarray as xr
from crest_store import DamageError, DamageWarning, IcechunkArchive, Stream, open_run
from crest_store.expiry import expire
from crest_store.ledger import COPIES, Ledger
from crest_store.verification import verify

from crest_core import simulate
from crest_core.testing import weather

STREAMS = {"steps": Stream(), "monthly": Stream(every="1MS", statistic="max", fields=("storage",))}
WIDE = weather(60, 200, seed=1)  # so that data are chunks of their own and not lines of a manifest


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


@pytest.fixture(scope="module")
def original(tmp_path_factory, small):
    """Return the folder of a run of 4 cycles, with the restart after each of them."""
    folder = tmp_path_factory.mktemp("damage") / "run"
    states = []
    for end in small.ends[:4]:
        with IcechunkArchive(folder, history=STREAMS) as archive:
            small.run(archive, end, resume=bool(states), forcing=WIDE)
            states.append((small.bits(archive.load()[0]), archive.open().load()))
    return folder, states


@pytest.fixture
def copied(original, tmp_path):
    folder, states = original
    return shutil.copytree(folder, tmp_path / "run"), states


def newest(folder, kind):
    """Return a file of the last commit."""
    return next(folder / name for name in Ledger(folder).chains["main"][-1].files if name.startswith(kind))


@pytest.mark.parametrize("harm", [flip, halve, empty, lambda path: path.unlink()], ids="flip halve empty gone".split())
@pytest.mark.parametrize("kind", ["snapshots", "manifests", "transactions", "chunks"])
def test_a_damaged_cycle_is_left_for_the_one_before(copied, kind, harm, small):
    folder, states = copied
    file = newest(folder, kind)
    harm(file)
    assert any(str(file) in line for line in verify(folder))
    archive = IcechunkArchive(folder)
    with pytest.warns(DamageWarning, match=f"goes back to cycle 3, the last one whole: .*{file.name}"):
        state, _ = archive.load()
    with archive:
        assert small.bits(state) == states[2][0]
        xr.testing.assert_identical(archive.open().load(), states[2][1])
        small.run(archive, small.ends[3], resume=True, forcing=WIDE)
        assert small.bits(archive.load()[0]) == states[3][0]
        small.same(archive.open().load(), states[3][1])
    assert verify(folder) == []


@pytest.mark.parametrize("harm", [flip, halve, empty, lambda path: path.unlink()], ids="flip halve empty gone".split())
@pytest.mark.parametrize("name", ["crest/ledger", "crest/ledger.copy", "refs/branch.main/ref.json"])
def test_a_damaged_ledger_or_branch_is_mended_from_the_other(copied, name, harm, small):
    folder, states = copied
    harm(folder / name)
    assert any(str(folder / name) in line for line in verify(folder))
    with pytest.warns(DamageWarning, match=name), IcechunkArchive(folder) as archive:
        state, _ = archive.load()
        assert small.bits(state) == states[3][0]
    assert verify(folder) == []


@pytest.mark.parametrize("name", ["snapshots", "manifests"])
def test_a_reader_is_given_the_last_whole_cycle(copied, name):
    folder, states = copied
    flip(newest(folder, name))
    with pytest.warns(DamageWarning, match="is read at cycle 3: .*"):
        history = open_run(folder).history()
    xr.testing.assert_identical(history.load(), states[2][1])


@pytest.mark.parametrize("harm", [flip, halve, empty, lambda path: path.unlink()], ids="flip halve empty gone".split())
def test_a_reader_of_a_damaged_chunk_is_told_array_and_chunk(copied, harm):
    folder, states = copied
    for file in [path for path in (folder / "chunks").iterdir() if path.stat().st_size > 1000]:
        whole, told = file.read_bytes(), []
        harm(file)
        for name in states[3][1].data_vars:
            try:
                xr.testing.assert_identical(open_run(folder).history()[name].load(), states[3][1][name])
            except DamageError as error:
                told.append(str(error))
        if told:
            break
        file.write_bytes(whole)  # a chunk of a restart, or of an earlier one: not read here
    (line,) = told
    assert re.match(r"history/steps/\w+ chunk \(\d, 0\) is damaged: .+; `crest store check` names the files", line)


def test_a_reader_of_a_damaged_branch_is_told_the_file_or_given_the_last_cycle(copied):
    folder, states = copied
    branch = folder / "refs/branch.main/ref.json"
    text = branch.read_text()
    empty(branch)
    with pytest.raises(DamageError, match="refs/branch.main/ref.json.; resume the run: the next driver mends it"):
        open_run(folder)
    branch.write_text(text[:-6] + ("0000" if text[-6:-2] != "0000" else "1111") + text[-2:])
    with pytest.warns(DamageWarning, match="ref.json names no commit"):
        xr.testing.assert_identical(open_run(folder).history().load(), states[3][1])


def test_damage_in_all_cycles_is_an_error_that_names_the_files(copied):
    folder, _ = copied
    for file in (folder / "snapshots").iterdir():
        flip(file)
    with pytest.raises(DamageError, match="no cycle of branch main is whole: .*snapshots/.* take a backup"):
        IcechunkArchive(folder).load()


def test_damage_in_both_ledgers_is_an_error(copied):
    folder, _ = copied
    for name in ("ledger", "ledger.copy"):
        flip(folder / "crest" / name)
    with pytest.raises(DamageError, match="is damaged in both"):
        IcechunkArchive(folder).load()
    assert any("is damaged in both" in line for line in verify(folder))
    for name in ("ledger", "ledger.copy"):
        empty(folder / "crest" / name)
    with pytest.raises(DamageError, match="has commits and no ledger"):
        IcechunkArchive(folder).load()


def test_an_older_restart_that_is_damaged_is_named_and_not_used(tmp_path, small):
    folder, large = tmp_path / "run", torch.arange(1000.0)
    outputs = simulate(small.graph(), small.weather, end="2001-01-05")
    days = {"start": "2001-01-01T00:00:00", "time": "2001-01-05T00:00:00", "calendar": "standard"}
    with IcechunkArchive(folder) as archive:
        archive.commit(outputs, {"large": large}, days)
        before = set((folder / "chunks").iterdir())
        moved = {name: outputs[name].variable + np.timedelta64(4, "D") for name in ("time", "time_bnds")}
        later = outputs.assign_coords(moved)
        archive.commit(later, {"large": large + 1}, {**days, "start": days["time"], "time": "2001-01-09T00:00:00"})
        for chunk in before:
            flip(chunk)
        (chunk,) = [one for one in before if one.stat().st_size > 1000]
    with IcechunkArchive(folder) as archive:
        assert archive.load()[0]["large"].equal(large + 1)
        with pytest.raises(DamageError, match=f"restart of cycle 1 is damaged: .*{chunk.name}.*; take another cycle"):
            archive.back_to(1)


def test_an_undamaged_run_opens_without_a_warning(copied, small):
    folder, states = copied
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expire(folder, keep=2)
        with IcechunkArchive(folder) as archive:
            assert small.bits(archive.load()[0]) == states[3][0]
        assert open_run(folder).cycles() == [1, 2, 3, 4]
    assert verify(folder) == []


def rewritten(folder, change):
    """Change the lines of both ledgers, each with a sum that fits."""
    for name in COPIES:
        rows = [json.loads(row.rpartition(b" ")[0]) for row in (folder / name).read_bytes().splitlines()]
        texts = [json.dumps(change(row), sort_keys=True).encode() for row in rows]
        (folder / name).write_bytes(b"".join(b"%b %b\n" % (one, sha256(one).hexdigest().encode()) for one in texts))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda row: row | {"host": "here"}, "unknown: host"),
        (lambda row: {key: value for key, value in row.items() if key != "parent"}, "missing: parent"),
        (lambda row: row | {"cycle": "1"}, "not understood: cycle"),
        (lambda row: [row], "no JSON object"),
    ],
)
def test_a_ledger_of_another_version_is_refused_with_file_line_and_repair(copied, change, words):
    folder, _ = copied
    rewritten(folder, change)
    expected = rf"crest/ledger and .*ledger.copy have a line 1 of another version of crest-store \({words}\); open the"
    for action in (IcechunkArchive(folder).load, lambda: open_run(folder)):
        with pytest.raises(DamageError, match=expected):
            action()
    assert any(re.search(expected, line) for line in verify(folder))


def test_a_line_of_another_version_in_one_ledger_is_read_from_the_other(copied, small):
    folder, states = copied
    whole = (folder / COPIES[1]).read_bytes()
    rewritten(folder, lambda row: row | {"host": "here"})
    (folder / COPIES[1]).write_bytes(whole)
    with pytest.warns(DamageWarning, match=r"ledger has a line 1 of another version .*; the other copy is whole"):
        assert small.bits(open_run(folder).restart()[0]) == states[3][0]


def test_lines_that_are_damaged_in_one_ledger_each_are_read_from_the_other(copied):
    folder, _ = copied
    for place, name in enumerate(COPIES):
        rows = (folder / name).read_bytes().splitlines(True)
        rows[place + 1] = b"!" + rows[place + 1]
        (folder / name).write_bytes(b"".join(rows))
    expected = [
        f"{folder / name} has a damaged line {place + 2}; what it lacks is in the other copy"
        for place, name in enumerate(COPIES)
    ]
    assert verify(folder) == expected
    with pytest.warns(DamageWarning, match="in the other copy"), IcechunkArchive(folder) as archive:
        assert archive.restarts() == [2, 3, 4]
    assert verify(folder) == []


@pytest.mark.parametrize("lost", [1, 3])
def test_ledgers_that_both_lost_their_last_lines_are_not_gone_back_to(copied, lost):
    folder, states = copied
    for name in COPIES:
        (folder / name).write_bytes(b"".join((folder / name).read_bytes().splitlines(True)[:-lost]))
    words = (
        f"which was acknowledged; the ledger ends with cycle {4 - lost} of branch main: both copies .* have lost lines"
    )
    before = (folder / "refs/branch.main/ref.json").read_bytes()
    with pytest.raises(DamageError, match=words + ".*nothing was changed: bring the ledger back from a backup"):
        IcechunkArchive(folder).load()
    assert (folder / "refs/branch.main/ref.json").read_bytes() == before
    assert [line for line in verify(folder) if re.search(words, line)] == verify(folder)
    with pytest.warns(DamageWarning, match=f"is read at cycle {4 - lost}: .*{words}"):
        xr.testing.assert_identical(open_run(folder).history().load(), states[3 - lost][1])


def test_a_last_line_that_is_damaged_in_both_ledgers_is_named(copied):
    folder, _ = copied
    for name in COPIES:
        (folder / name).write_bytes((folder / name).read_bytes()[:-3] + b"!!\n")
    with pytest.raises(DamageError, match=r"line 5 of .*ledger and .*ledger.copy is damaged in both: .* from a backup"):
        open_run(folder)


@pytest.mark.parametrize("more", [(), ("refs/branch.main/ref.json",)], ids=["ledgers", "branch, too"])
def test_a_run_without_ledgers_is_not_begun_anew(copied, more):
    folder, states = copied
    for name in (*COPIES, *more):
        (folder / name).unlink()
    with pytest.raises(DamageError, match="has commits and no ledger .*; bring the ledger back from a backup, or read"):
        IcechunkArchive(folder).__enter__()
    assert ["bring it back from a backup" in line for line in verify(folder)] == [True] or more
    if not more:
        with pytest.warns(DamageWarning, match="has no ledger .*no cycle is missing, cannot be told; bring it back"):
            xr.testing.assert_identical(open_run(folder).history().load(), states[3][1])


def test_a_branch_that_no_ledger_knows_is_told(copied):
    folder, _ = copied
    before = {name: (folder / name).read_bytes() for name in COPIES}
    with IcechunkArchive(folder) as archive:
        archive.branch_from(3, "dry")
    for name in COPIES:
        (folder / name).write_bytes(before[name])
    with pytest.raises(DamageError, match="branch.dry/ref.json names .*; the ledger does not know of branch dry: both"):
        IcechunkArchive(folder).load()
    empty(folder / "refs/branch.main/ref.json")
    unknown, unnamed = verify(folder)
    assert "does not know of branch dry" in unknown and "branch.main/ref.json names no commit, not" in unnamed
