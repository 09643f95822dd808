"""Runs with a store: streams of history, and what is told before anything runs."""

import json

import numpy as np
import pytest
from crest_run import (
    RunFileError,
    execute,
    load_run,
    open_forcing,
    open_results,
    simulate_run,
)

from crest_core import CrestError, registry
from crest_core.testing import weather

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


def test_a_run_with_a_store_holds_what_a_run_in_memory_gives(run):
    stored = execute(run())
    assert same(stored.load(), execute(run(RUN)))
    assert json.loads(stored.attrs["run_file"])["window"] == "10D"


def test_streams_of_history_are_as_the_file_says(run, tmp_path):
    daily = execute(run(RUN + MONTHLY))
    assert list(daily.data_vars) == ["storage"]
    whole, streams = execute(run(RUN)), open_results(tmp_path / "store")
    assert list(streams) == ["daily", "five_days"]
    mean = streams["five_days"]["runoff"]
    assert mean.sizes == {"time": 8, "cell": 1}
    assert str(mean["time"].values[1]).startswith("2001-01-05"), "cut at multiples of 5 days since 2000"
    np.testing.assert_allclose(mean[1, 0], whole["runoff"][4:9, 1].mean(), rtol=1e-6)


def test_an_archive_with_what_simulate_needs_runs_in_python_and_is_refused_by_the_command(run, crest, tmp_path):
    plan = run(RUN + "output: {store: {path: store, use: lists}}\n")
    archive = registry().load("archives", "lists")()
    simulate_run(plan, archive=archive, end="2001-01-25")
    assert same(simulate_run(plan, archive=archive, resume=archive), execute(run(RUN)))
    run(RUN + "output: {store: {path: store, use: lists}}\n")
    for words in ([], ["--from", 2], ["--resume"], ["--from", 2, "--branch", "other"]):
        status, _, err = crest("run", tmp_path / "run.yaml", *words)
        assert status == 2
        assert "run.yaml:9: output.store: archive 'lists' lacks __enter__, __exit__, back_to, branch_from, check" in err
        assert "pass it to simulate(archive=) in Python, or use icechunk of crest-store" in err


def test_a_store_that_holds_a_run_is_not_written_over(run):
    execute(run())
    with pytest.raises(RunFileError, match=r"run.yaml:9: output.store: .*holds a run up to cycle 5; --resume"):
        execute(run())


def test_a_store_takes_the_place_of_the_other_files(run):
    with pytest.raises(RunFileError, match=r"output: the store holds results, restart and record; leave out path"):
        run(RUN + "output: {path: out.nc, store: {path: store}}\n")


def test_a_stream_that_shows_no_interval_yet_ends_the_run_well(run, crest, tmp_path):
    run(RUN + "output: {store: {path: store, history: {yearly: {every: 1YS, statistic: mean}}}}\n")
    status, out, err = crest("run", tmp_path / "run.yaml")
    assert (status, err) == (0, "")
    assert "0 steps, no interval is complete yet" in out


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (
            "{fields: [storag]}",
            r"run.yaml:9: output.store.history: stream a: fields \['storag'\] do not exist; the run has storage",
        ),
        ("{every: 36h, statistic: mean}", "history: .*36h"),
        ("{every: 1MS, statistic: sum, fields: [storage]}", "history: .*storage"),
        ("{cells: [7]}", r"history: stream a: cells \[7\] do not exist"),
        ("{fields: []}", "the list fields is empty; leave the key out to keep all"),
        ("{cells: []}", "the list cells is empty; leave the key out to keep all"),
        ("{every: 1MS}", "the keys every and statistic belong together, as every: 1MS, statistic: mean"),
        ("{box: {south: 0.0, north: 1.0, west: 0.0, east: 1.0}, cells: [1]}", "expected one of the keys box and cells"),
    ],
)
def test_a_stream_that_cannot_be_is_told_before_anything_runs(run, tmp_path, stream, message):
    with pytest.raises(CrestError, match=message):
        execute(run(RUN + f"output: {{store: {{path: store, history: {{a: {stream}}}}}}}\n"))
    assert not list(tmp_path.glob("store/chunks/*"))


def test_netcdf_forcing_is_read_without_keeping_its_chunks(models, tmp_path):
    weather(9, seed=1).to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    (tmp_path / "run.yaml").write_text(RUN.replace("{source: weather, with: {days: 40}}", "{path: weather.nc}"))
    with open_forcing(load_run(tmp_path / "run.yaml")) as forcing:
        assert "h5netcdf" in repr(forcing["precipitation"].variable._data)
    (tmp_path / "weather.nc").write_bytes((tmp_path / "weather.nc").read_bytes()[:-100])
    with pytest.raises(RunFileError, match=r"forcing.path: .*weather.nc cannot be read, it is damaged"):
        open_forcing(load_run(tmp_path / "run.yaml"))
    (tmp_path / "weather.nc").write_bytes(b"")
    with pytest.raises(RunFileError, match=r"forcing.path: .*weather.nc is empty; expected a NetCDF file"):
        open_forcing(load_run(tmp_path / "run.yaml"))


def test_links_in_a_circle_are_no_store(run, tmp_path):
    (tmp_path / "store").symlink_to("store")
    said = "run.yaml:9: output.store.path: expected a folder, got links in a circle; remove the link or give another"
    with pytest.raises(RunFileError, match=said):
        run(RUN + STORE)


def test_a_url_is_no_folder(run, crest, tmp_path):
    run(RUN + "output: {store: {path: 's4://bucket/run'}}\n")
    status, _, err = crest("run", tmp_path / "run.yaml")
    assert (
        status and "run.yaml:9: output.store: run s4://bucket/run: s4:// is not known; expected a folder, s3://" in err
    )
    with pytest.raises(
        RunFileError, match=r"output.path: expected the path of a file on this machine, got 's3://bucket"
    ):
        run(RUN + "output: {path: 's3://bucket/out.nc'}\n")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["site"]
