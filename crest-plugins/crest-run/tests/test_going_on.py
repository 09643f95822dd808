"""Runs that go on in a store: the same run, an earlier cycle, a branch."""

import pytest
from crest_run import (
    GoingOn,
    RunFileError,
    execute,
    open_results,
    rerun,
)
from safetensors.torch import save_file

from crest_core import StoreError, registry
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


def same(one, other):
    """Whether two datasets hold the same variables bit for bit."""
    return set(one.data_vars) == set(other.data_vars) and all(
        one[name].values.tobytes() == other[name].values.tobytes() for name in one.data_vars
    )


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


def test_going_on_in_an_empty_store_begins(run):
    assert execute(run(), going_on=GoingOn()).sizes["time"] == 40


def test_going_on_needs_a_store(run):
    with pytest.raises(RunFileError, match="going on from a cycle needs the key store"):
        execute(run(RUN), going_on=GoingOn())


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


def test_a_run_that_goes_back_to_its_end_is_not_taken_for_one_that_ran(run, tmp_path):
    execute(run())
    wetter = run(RUN.replace("{use: bucket}", "{use: bucket, with: {capacity: 300.0}}") + STORE)
    with pytest.raises(RunFileError, match=r"the run ends at 2001-02-10 00:00:00, and cycle 5 .*set a later end"):
        execute(wetter, going_on=GoingOn(cycle=5))
    assert execute(run(), going_on=GoingOn()).sizes["time"] == 40  # and nothing was left behind


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


def test_a_branch_that_was_killed_before_its_first_cycle_is_begun_again(run, crest, tmp_path):
    execute(run())
    with registry().load("archives", "icechunk")(tmp_path / "store") as archive:
        archive.branch_from(2, "other")  # and no more
    run(RUN.replace("days: 40", "days: 40, seed: 2") + STORE, name="other.yaml")
    status, _, err = crest("run", tmp_path / "other.yaml", "--resume", "--branch", "other")
    assert status == 2 and "the run was made with other forcing" in err
    assert crest("run", tmp_path / "other.yaml", "--from", 2, "--branch", "other", "--quiet")[0] == 0
    assert open_results(tmp_path / "store", "other")["outputs"].sizes["time"] == 40


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", 2, "--branch", ""], "--branch: expected a name, got an empty text"),
        (
            ["--from", 2, "--resume"],
            "--resume goes on from the last cycle, --from from an earlier one; give one of them",
        ),
    ],
)
def test_words_that_contradict_each_other_change_nothing(run, crest, tmp_path, words, told):
    before = execute(run()).load()
    status, _, err = crest("run", tmp_path / "run.yaml", *words)
    assert status == 2 and told in err
    assert same(open_results(tmp_path / "store")["outputs"], before)
