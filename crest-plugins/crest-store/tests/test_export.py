"""Exports and commands: the same numbers for other programs, and what a terminal says."""

import re
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr
from crest_store import DamageWarning, IcechunkArchive, Stream, open_run
from crest_store.commands import app
from typer.testing import CliRunner

from crest_core import StoreError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small):
    path = tmp_path_factory.mktemp("export") / "run"
    with IcechunkArchive(
        path, history={"steps": Stream(), "monthly": Stream(every="1MS", statistic="mean")}
    ) as archive:
        small.run(archive)
        archive.branch_from(6, "dry")
    return path


def asked(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.parametrize("stream", ["steps", "monthly"])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_an_export_reads_back_as_the_history(folder, tmp_path, stream, suffix):
    target = tmp_path / f"out{suffix}"
    result = asked("export", folder, target, "--stream", stream)
    assert result.exit_code == 0 and f"{target} written" in result.stdout
    engine = {"engine": "h5netcdf"} if suffix == ".nc" else {"engine": "zarr", "consolidated": False}
    with xr.open_dataset(target, **engine) as found:
        expected = open_run(folder).history(stream)
        for name, variable in expected.variables.items():
            np.testing.assert_array_equal(found[name].values, variable.values)
            assert {**found[name].encoding, **found[name].attrs}.items() >= variable.attrs.items()
        assert found.attrs["graph_hash"] == expected.attrs["graph_hash"]
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        assert re.fullmatch(f"{stamp} simulated by CREST\n{stamp} exported by crest-store", found.attrs["history"])
        assert expected.attrs["history"] == found.attrs["history"].splitlines()[0]  # the time of the commit
    if suffix == ".zarr":
        codecs = zarr.open_array(target, path="runoff", mode="r").metadata.to_dict()["codecs"]
        assert [codec["name"] for codec in codecs] == ["bytes", "zstd", "crc32c"]


def test_an_export_overwrites_nothing_and_knows_two_formats(folder, tmp_path):
    (tmp_path / "out.nc").touch()
    with pytest.raises(StoreError, match="x.nc: that is inside the folder of the run; give a place outside of it"):
        asked_or_raised("export", folder, folder / "chunks" / "x.nc")
    with pytest.raises(StoreError, match="out.nc: it exists; delete it or give another name"):
        asked_or_raised("export", folder, tmp_path / "out.nc")
    with pytest.raises(StoreError, match=r"ends with .nc \(NetCDF\) or .zarr \(Zarr\)"):
        asked_or_raised("export", folder, tmp_path / "out.csv")
    with pytest.raises(StoreError, match="stream 'daily' does not exist; the run has monthly, steps"):
        asked_or_raised("export", folder, tmp_path / "out2.nc", "--stream", "daily")
    assert [path.name for path in tmp_path.iterdir()] == ["out.nc"]


def test_the_commands_say_what_a_run_holds(folder, tmp_path):
    assert "7 cycles, 2001-01-01T00:00:00 to 2001-03-02T00:00:00" in asked("list", folder.parent).stdout
    shown = asked("info", folder).stdout
    for words in ("branch    main (of dry, main)", "restarts  5, 6, 7", "stream    monthly: evapotranspiration"):
        assert words in shown
    assert "to 2001-02-24T00:00:00" in asked("info", folder, "--branch", "dry").stdout
    assert "every file is as it was written" in asked("check", folder).stdout
    with pytest.raises(StoreError, match="holds no run"):
        asked_or_raised("list", tmp_path)
    with pytest.raises(StoreError, match="holds no run; `crest store list FOLDER`"):
        asked_or_raised("info", tmp_path)


def test_a_run_that_has_lost_its_first_ledger_is_listed(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "run")
    (copied / "crest" / "ledger").unlink()
    with pytest.warns(DamageWarning, match="crest/ledger is missing; the other copy is whole"):
        assert f"{copied}: 7 cycles" in asked("list", tmp_path).stdout


def test_expiry_deletes_what_nobody_needs_and_leaves_history_and_restarts(tmp_path, small):
    with IcechunkArchive(tmp_path / "run", keep=2) as archive:
        history = small.run(archive).load()
        states = [small.bits(archive.load(cycle)[0]) for cycle in (6, 7)]
    before = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*"))
    assert "6 commits forgotten" in asked("expire", tmp_path / "run", "--keep", 1).stdout
    assert sum(path.stat().st_size for path in (tmp_path / "run").rglob("*")) < before
    with IcechunkArchive(tmp_path / "run") as archive:
        xr.testing.assert_identical(archive.open().load(), history)
        assert [small.bits(archive.load(cycle)[0]) for cycle in (6, 7)] == states
    assert "every file is as it was written" in asked("check", tmp_path / "run").stdout
    ((tmp_path / "run" / "snapshots").iterdir().__next__()).write_bytes(b"")
    with pytest.raises(StoreError, match="snapshots/.* has 0 bytes, .* were written"):
        asked_or_raised("check", tmp_path / "run")


def asked_or_raised(*arguments):
    result = asked(*arguments)
    if result.exception:
        raise result.exception
    return result
