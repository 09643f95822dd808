"""Verification of restarts, and repetition of a run from its record."""

import json

import numpy as np
import pytest
import xarray as xr
from crest_run import (
    GoingOn,
    RunFileError,
    execute,
    open_results,
    rerun,
    verify_restart,
)

RUN = """\
graph:
  components:
    soil: {use: bucket}
    evaporation: {use: stress}
  connections:
    - {from: soil.storage, to: evaporation.storage, lagged: true, initial: 50.0}
forcing: {source: weather, with: {days: 40}}
window: 10D
"""
STORE = "output: {store: {path: store, keep: 9}}\n"
MONTHLY = """\
output:
  store:
    path: store
    history:
      daily: {fields: [storage]}
      five_days: {fields: [runoff], every: 5D, statistic: mean, cells: [1]}
"""


def same(one, other):
    """Whether two datasets hold the same variables bit for bit."""
    return set(one.data_vars) == set(other.data_vars) and all(
        one[name].values.tobytes() == other[name].values.tobytes() for name in one.data_vars
    )


def test_verify_finds_equal_restarts_equal(run, crest, tmp_path):
    trials = verify_restart(run(RUN), cuts=3)
    assert [trial.window for trial in trials] == ["", "", ""]
    assert [trial.time for trial in trials] == [f"2001-{day}T00:00:00" for day in ("01-05", "01-25", "02-04")]
    status, out, _ = crest("verify", "restart", tmp_path / "run.yaml", "--cuts", 1)
    assert (status, out) == (0, "restart at 2001-01-05T00:00:00: equal bit for bit\n")
    assert not (tmp_path / "store").exists()


def test_verify_finds_memory_that_is_not_in_the_state(run, crest, tmp_path):
    run(RUN.replace("stress", "hiding"))
    status, out, _ = crest("verify", "restart", tmp_path / "run.yaml", "--cuts", 1)
    assert status == 1
    assert "restart at 2001-01-05T00:00:00: differs in the window that ends at 2001-01-15T00:00:00: " in out
    assert "keep all memory of a component in its state" in out


def test_verify_needs_more_than_one_window(run):
    with pytest.raises(Exception, match=r"window: the run is one window of 365D; verify with a shorter one"):
        verify_restart(run(RUN.replace("10D", "365D")))


@pytest.mark.parametrize("output", ["output: {path: out.nc}\n", STORE])
def test_a_run_is_repeated_from_its_output(run, crest, tmp_path, output):
    execute(run(RUN + output))
    target = tmp_path / ("out.nc" if "out.nc" in output else "store")
    found = rerun(target)
    assert found.equal and not found.changed
    assert crest("rerun", target)[:2] == (0, "".join(f"{name}: equal bit for bit\n" for name in found.largest))


def test_a_repetition_says_what_changed(run, crest, tmp_path):
    execute(run(RUN + "output: {path: out.nc}\n"))
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        old = dataset.load()
    content = json.loads(old.attrs["run_file"])
    content["forcing"]["with"]["seed"] = 2
    old.attrs["run_file"] = json.dumps(content)
    old.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    status, out, _ = crest("rerun", tmp_path / "old.nc")
    assert status == 1
    assert "storage: differs by up to" in out and "forcing_hash was" in out
    assert "graph_hash" not in out


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["storage"].attrs.update(units="furlong"), "storage.units was furlong, is kg m-2"),
        (lambda d: d.update({"time": d["time"] + np.timedelta64(365, "D")}), "time: differs"),
        (lambda d: d.__delitem__("runoff"), "runoff: differs: missing in one"),
        (lambda d: d["runoff"].__setitem__(3, np.nan), "runoff: differs: missing in one, in whole or in part"),
        (
            lambda d: d.update({"runoff": d["runoff"].astype("float64").drop_encoding()}),
            "runoff: differs in bits, not in value",
        ),
        (lambda d: d.attrs.update(parameter_hash="0"), "parameter_hash was 0"),
    ],
)
def test_a_repetition_compares_coordinates_units_and_facts_too(run, crest, tmp_path, edit, message):
    execute(run(RUN + "output: {path: out.nc}\n"))
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        old = dataset.load()
    edit(old)
    old.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    status, out, _ = crest("rerun", tmp_path / "old.nc")
    assert status != 0
    assert message in out


def test_an_edited_output_differs_though_nothing_changed(run, crest, tmp_path):
    execute(run(RUN + "output: {path: out.nc}\n"))
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        old = dataset.load()
    old["runoff"][3] = np.nan
    old.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    status, out, err = crest("rerun", tmp_path / "old.nc")
    assert status == 2
    assert "runoff: differs" in out
    assert "differs though nothing that is recorded changed; was the file edited?" in err


def test_only_results_of_crest_can_be_repeated(models, tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(RunFileError, match="has no attribute run_file; only results of `crest run`"):
        rerun(tmp_path / "a.nc")
    (tmp_path / "b.nc").write_text("no file")
    said = "b.nc: expected a NetCDF file or a store that CREST wrote; is it complete, and of this kind.$"
    with pytest.raises(RunFileError, match=said):
        rerun(tmp_path / "b.nc")
    with pytest.raises(RunFileError, match="c.nc: there is no such file or folder; give a NetCDF file or a store"):
        rerun(tmp_path / "c.nc")


def test_a_run_file_in_place_of_its_output_is_told(run, crest, tmp_path):
    run(RUN)
    status, out, err = crest("rerun", tmp_path / "run.yaml")
    assert status != 0 and out == "" and len(err.splitlines()) == 1
    assert "run.yaml is a run file, expected what it wrote: the file of output.path or the folder of output.st" in err


def test_a_repetition_of_a_branch_and_of_an_export_is_of_the_same_stream(run, tmp_path):
    execute(run(RUN + MONTHLY))
    with pytest.raises(RunFileError, match="set a later end"):
        execute(run(RUN + MONTHLY), going_on=GoingOn(branch="again", new=True))
    execute(run(RUN + MONTHLY), going_on=GoingOn(cycle=3, branch="again", new=True))
    assert rerun(tmp_path / "store", branch="again").equal
    open_results(tmp_path / "store")["five_days"].to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    assert "five_days.runoff" in rerun(tmp_path / "out.nc").largest
    assert rerun(tmp_path / "out.nc").equal


def test_a_run_that_went_on_without_naming_its_streams_is_repeated_with_them(run, tmp_path):
    period = "period: {start: 2001-01-01, end: 2001-01-25}\n"
    execute(run(RUN + period + MONTHLY))
    execute(run(RUN + STORE), going_on=GoingOn())
    again = rerun(tmp_path / "store")
    assert again.equal and {name.split(".")[0] for name in again.largest} == {"daily", "five_days"}


def test_other_outputs_than_those_in_the_store_are_told_by_line(run):
    execute(run(RUN + "period: {start: 2001-01-01, end: 2001-01-25}\n" + STORE))
    text = RUN + STORE.replace("keep: 9}", "keep: 9}, fields: [storage]")
    with pytest.raises(
        RunFileError, match=r"run.yaml:\d+: output.fields: the store holds the outputs all up to 2001-01"
    ):
        execute(run(text), going_on=GoingOn())
