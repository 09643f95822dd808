"""Runs with a store: cycles, going on, verification of restarts, and repetition of a run from its record."""

import json

import numpy as np
import pytest
import xarray as xr
from crest_run import (
    GoingOn,
    RunFileError,
    execute,
    load_run,
    open_forcing,
    open_results,
    rerun,
    simulate_run,
    verify_restart,
)
from safetensors.torch import save_file

from crest_core import CrestError, StoreError, registry
from crest_core.testing import TorchBucket, weather

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


@pytest.fixture
def run(models, tmp_path):
    """Write a run file and load it."""

    def run(text=RUN + STORE, name="run.yaml"):
        (tmp_path / name).write_text(text)
        return load_run(tmp_path / name)

    return run


def same(one, other):
    """Whether two datasets hold the same variables bit for bit."""
    return set(one.data_vars) == set(other.data_vars) and all(
        one[name].values.tobytes() == other[name].values.tobytes() for name in one.data_vars
    )


def test_a_run_with_a_store_holds_what_a_run_in_memory_gives(run):
    stored = execute(run())
    assert same(stored.load(), execute(run(RUN)))
    assert json.loads(stored.attrs["run_file"])["window"] == "10D"


def test_a_run_that_was_interrupted_goes_on_and_ends_the_same(run):
    straight = execute(run(RUN))
    execute(run(RUN + "period: {start: 2001-01-01, end: 2001-01-25}\n" + STORE))
    assert same(execute(run(RUN + STORE), going_on=GoingOn()).load(), straight)


def test_a_run_goes_back_to_an_earlier_cycle_in_place(run):
    straight = execute(run()).load()
    wetter = run(RUN.replace("{use: bucket}", "{use: bucket, parameters: {}}") + STORE)
    assert same(execute(wetter, going_on=GoingOn(cycle=2)).load(), straight)
    with pytest.raises(Exception, match="cycle 77 has no restart; kept are 1, 2, 3, 4, 5"):
        execute(wetter, going_on=GoingOn(cycle=77))


def test_streams_of_history_are_as_the_file_says(run, tmp_path):
    daily = execute(run(RUN + MONTHLY))
    assert list(daily.data_vars) == ["storage"]
    whole, streams = execute(run(RUN)), open_results(tmp_path / "store")
    assert list(streams) == ["daily", "five_days"]
    mean = streams["five_days"]["runoff"]
    assert mean.sizes == {"time": 8, "cell": 1}
    assert str(mean["time"].values[1]).startswith("2001-01-05"), "cut at multiples of 5 days since 2000"
    np.testing.assert_allclose(mean[1, 0], whole["runoff"][4:9, 1].mean(), rtol=1e-6)


def test_a_branch_leaves_the_run_as_it_is(run, crest, tmp_path):
    straight = execute(run()).load()
    run(RUN.replace("days: 40", "days: 40, seed: 2") + STORE, name="other.yaml")
    status, out, _ = crest("run", tmp_path / "other.yaml", "--from", 2, "--branch", "other")
    assert status == 0
    assert f"next: crest store info {tmp_path}/store" in out
    assert same(open_results(tmp_path / "store")["outputs"], straight)
    branch = open_results(tmp_path / "store", "other")["outputs"]
    assert branch.sizes == straight.sizes
    first = {"time": slice(0, 14)}
    assert same(branch.isel(first), straight.isel(first)) and not same(branch, straight)
    status, _, err = crest("run", tmp_path / "other.yaml", "--from", 2, "--branch", "other")
    assert "has a branch 'other'" in err
    assert status == 1


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


def test_going_on_in_an_empty_store_begins(run):
    assert execute(run(), going_on=GoingOn()).sizes["time"] == 40


def test_going_on_needs_a_store(run):
    with pytest.raises(RunFileError, match="going on from a cycle needs the key store"):
        execute(run(RUN), going_on=GoingOn())


def test_a_store_takes_the_place_of_the_other_files(run):
    with pytest.raises(RunFileError, match=r"output: the store holds results, restart and record; leave out path"):
        run(RUN + "output: {path: out.nc, store: {path: store}}\n")


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
    with pytest.raises(RunFileError, match="expected a NetCDF file or a store that CREST wrote"):
        rerun(tmp_path / "b.nc")


def test_a_run_that_is_complete_is_left_as_it_is(run, crest, tmp_path):
    execute(run())
    status, out, err = crest("run", tmp_path / "run.yaml", "--resume")
    assert (status, err) == (0, "")
    assert "40 steps, 2001-01-01 to 2001-02-10" in out


@pytest.mark.parametrize("other", ["window: 5D", "window: 10D\nseed: 3", "parameters: {capacity: 90}"])
def test_a_complete_run_is_not_taken_for_another(run, other):
    execute(run())
    text = (
        RUN.replace("{use: bucket}", f"{{use: bucket, {other}}}")
        if "capacity" in other
        else RUN.replace("window: 10D", other)
    )
    with pytest.raises(RunFileError, match=r"the run was made with other (window|seed|graph) up to 2001-02-10"):
        execute(run(text + STORE), going_on=GoingOn())


def test_a_branch_that_has_nothing_to_run_is_not_made(run, tmp_path):
    with pytest.raises(RunFileError, match="holds no cycle yet that a branch could go on from"):
        execute(run(), going_on=GoingOn(branch="dry", new=True))
    execute(run(), going_on=GoingOn())
    with pytest.raises(
        RunFileError, match=r"run.yaml:7: forcing: the run ends at 2001-02-10 00:00:00, and cycle 5 .*later end"
    ):
        execute(run(), going_on=GoingOn(branch="dry", new=True))
    with pytest.raises(StoreError, match="dry"):
        open_results(tmp_path / "store", "dry")


def test_another_run_does_not_go_on_unseen(run, tmp_path):
    execute(run(RUN + "period: {start: 2001-01-01, end: 2001-01-25}\n" + STORE))
    wetter = RUN.replace("{use: bucket}", "{use: bucket, with: {capacity: 300.0}}") + STORE
    with pytest.raises(RunFileError, match=r"graph: the run was made with other graph up to 2001-01-25.*--from CYCLE"):
        execute(run(wetter), going_on=GoingOn())
    other = RUN.replace("days: 40", "days: 40, seed: 2") + STORE
    with pytest.raises(RunFileError, match=r"run.yaml:7: forcing: the run was made with other forcing"):
        execute(run(other), going_on=GoingOn())
    execute(run(other), going_on=GoingOn(cycle=2))
    with pytest.raises(RunFileError, match="went on with another run file from 2001-01-15T00:00:00 on"):
        rerun(tmp_path / "store")


@pytest.mark.parametrize("before", ["period: {start: 2001-01-01, end: 2001-01-25}\n", "", "accept"])
def test_another_start_does_not_go_on_unseen(run, before):
    if before == "accept":
        execute(run(RUN + "output: {restart: half.safetensors}\nperiod: {start: 2001-01-01, end: 2001-01-15}\n"))
        text = RUN + "resume: half.safetensors\n" + STORE
        execute(run(text), going_on=None)
        with pytest.raises(RunFileError, match="made with other accept up to"):
            execute(
                run(text + "accept: [forcing]\n" + "period: {start: 2001-01-01, end: 2001-02-10}\n"), going_on=GoingOn()
            )
        return
    execute(run(RUN + before + STORE))
    other = run(RUN + "period: {start: 2001-01-11, end: 2001-02-10}\n" + STORE)
    message = r"run.yaml:9: period.start: the run was made with other period.start up to 2001-.*--from CYCLE"
    with pytest.raises(RunFileError, match=message):
        execute(other, going_on=GoingOn())


def test_a_repetition_of_a_branch_and_of_an_export_is_of_the_same_stream(run, tmp_path):
    execute(run(RUN + MONTHLY))
    with pytest.raises(RunFileError, match="set a later end"):
        execute(run(RUN + MONTHLY), going_on=GoingOn(branch="again", new=True))
    execute(run(RUN + MONTHLY), going_on=GoingOn(cycle=3, branch="again", new=True))
    assert rerun(tmp_path / "store", branch="again").equal
    open_results(tmp_path / "store")["five_days"].to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    assert "five_days.runoff" in rerun(tmp_path / "out.nc").largest
    assert rerun(tmp_path / "out.nc").equal


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
        ("{every: 1MS}", "the keys every and statistic belong together, as every: 1MS, statistic: mean"),
        ("{box: {south: 0.0, north: 1.0, west: 0.0, east: 1.0}, cells: [1]}", "expected one of the keys box and cells"),
    ],
)
def test_a_stream_that_cannot_be_is_told_before_anything_runs(run, tmp_path, stream, message):
    with pytest.raises(CrestError, match=message):
        execute(run(RUN + f"output: {{store: {{path: store, history: {{a: {stream}}}}}}}\n"))
    assert not list(tmp_path.glob("store/chunks/*"))


def test_other_weights_do_not_go_on_unseen(run, tmp_path):
    text = RUN.replace("{use: bucket}", "{use: bucket, weights: soil.safetensors}") + STORE
    weights = {name: value for name, value in TorchBucket(capacity=100.0).state_dict().items()}
    save_file(weights, tmp_path / "soil.safetensors")
    execute(run(text + "period: {start: 2001-01-01, end: 2001-01-25}\n"))
    save_file({name: value + 0.1 for name, value in weights.items()}, tmp_path / "soil.safetensors")
    other = (
        r"run.yaml:3: graph.components.soil.weights: .*soil.safetensors has the sha256 \w{64}, the run was made with "
    )
    with pytest.raises(
        RunFileError, match=other + r"\w{64}; .*--resume goes on with that one; --from CYCLE, or --branch"
    ):
        execute(run(text), going_on=GoingOn())
    execute(run(text), going_on=GoingOn(cycle=2, branch="other", new=True))


def test_other_values_of_forcing_do_not_go_on_unseen(run, tmp_path):
    data = weather(40, cells=2, seed=1)
    data.to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    text = RUN.replace("{source: weather, with: {days: 40}}", "{path: weather.nc}") + STORE
    execute(run(text + "period: {start: 2001-01-01, end: 2001-01-25}\n"))
    data["precipitation"][20] += 1.0
    data.to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    message = (
        r"run.yaml:7: forcing: the restart of 2001-01-25T00:00:00 \(window from 2001-01-15T00:00:00\) was "
        r"written with other forcing: .* \(crest run: --from CYCLE, or --branch NAME beside it\)"
    )
    with pytest.raises(RunFileError, match=message):
        execute(run(text), going_on=GoingOn())
    data.isel(time=slice(24, None)).to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")  # no more than what follows
    assert execute(run(text), going_on=GoingOn()).sizes["time"] == 40


def test_other_places_are_told_with_what_can_be_done(run, tmp_path):
    data = weather(40, cells=2, seed=1)
    data.to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    text = RUN.replace("{source: weather, with: {days: 40}}", "{path: weather.nc}") + STORE
    execute(run(text + "period: {start: 2001-01-01, end: 2001-01-25}\n"))
    data.assign_coords(lat=data["lat"] + 1.0).to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    for going_on in (GoingOn(), GoingOn(cycle=2)):
        with pytest.raises(RunFileError, match="other places: .*; take those; a store holds one set of places") as told:
            execute(run(text), going_on=going_on)
        assert "accept" not in str(told.value) and "--from" not in str(told.value)


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
