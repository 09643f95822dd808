"""Run files: what they mean."""

import json

import pytest
import torch
import xarray as xr
from crest_run import RunFile, RunFileError, build_graph, execute, load_run, open_forcing, plugin_dictionary

from crest_core import (
    Connection,
    Graph,
    simulate,
)
from crest_core.plugins import PluginWarning
from crest_core.testing import Stress, TorchBucket, weather

LOOP = """\
graph:
  components:
    soil: {use: bucket, parameters: {capacity: 120}}
    evaporation: {use: stress}
  connections:
    - {from: soil.storage, to: evaporation.storage, lagged: true, initial: 50.0}
forcing: {source: weather, with: {days: 40}}
"""


def fault(path, kind=RunFileError, call=load_run) -> str:
    """Return the message of the error that a run file gives, without its folder."""
    with pytest.raises(kind) as error:
        call(path)
    return str(error.value).replace(f"{path.parent}/", "")


def build(path):
    return build_graph(load_run(path))


def run(path):
    return execute(load_run(path))


# What a run file means


def test_a_run_file_gives_what_the_same_lines_of_python_give(models, write):
    results = run(write(LOOP + "period: {start: 2001-01-05, end: 2001-02-04}\n"))
    lag = Connection("soil.storage", "evaporation.storage", lagged=True, initial=50.0)
    graph = Graph({"soil": TorchBucket(capacity=120.0), "evaporation": Stress()}, [lag])
    again = simulate(graph, weather(40, 2, seed=1), start="2001-01-05", end="2001-02-04")
    assert results.sizes["time"] == 30
    xr.testing.assert_identical(results.drop_attrs(), again.drop_attrs())


def test_a_run_leaves_results_restart_and_record(models, write, tmp_path):
    output = "output: {path: out/a.nc, restart: out/a.safetensors, record: out/a.json}\nseed: 7\n"
    results = run(write(LOOP + output))
    with xr.open_dataset(tmp_path / "out/a.nc") as written:
        xr.testing.assert_equal(written.load(), results)
    record = json.loads((tmp_path / "out/a.json").read_text())
    assert record["seed"] == 7
    assert record["versions"]["crest-core"]
    assert record["run"]["graph"]["components"]["soil"]["use"] == "bucket"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "a.json",
        "a.nc",
        "a.safetensors",
    ]


def test_a_run_in_two_halves_gives_the_same_as_one(models, write):
    whole = run(write(LOOP + "window: 10D\n"))
    half = "window: 10D\nperiod: {start: 2001-01-01, end: 2001-01-21}\n"
    run(write(LOOP + half + "output: {restart: half.safetensors}\n"))
    rest = run(write(LOOP + "window: 10D\nresume: half.safetensors\n"))
    assert rest.sizes["time"] == 20
    xr.testing.assert_equal(rest["storage"], whole["storage"].isel(time=slice(20, None)))


def test_a_restart_of_other_parameters_or_forcing_goes_on_where_the_run_file_accepts_it(models, write):
    run(write(LOOP + "period: {start: 2001-01-01, end: 2001-01-25}\noutput: {restart: half.safetensors}\n"))
    drier, resume = LOOP.replace("120", "90"), "resume: half.safetensors\n"
    message = fault(write(drier + resume), call=run)
    assert "run.yaml:1: graph: the restart of 2001-01-25T00:00:00" in message
    assert "was written with other parameters: parameter_hash was" in message
    assert "say accept=['parameters']" in message
    assert run(write(drier + resume + "accept: [parameters]\n")).sizes["time"] == 16
    other = LOOP.replace("days: 40", "days: 40, seed: 2") + resume
    assert "run.yaml:7: forcing: the restart of 2001-01-25" in fault(write(other), call=run)
    assert run(write(other + "accept: [forcing]\n")).sizes["time"] == 16
    assert "run.yaml:8: accept: the key accept belongs to the key resume" in fault(write(LOOP + "accept: [forcing]\n"))


def test_a_run_that_resumes_starts_at_the_restart_whatever_period_start_says(models, write):
    whole = run(write(LOOP))
    run(write(LOOP + "period: {start: 2001-01-01, end: 2001-01-21}\noutput: {restart: half.safetensors}\n"))
    text = LOOP + "period: {start: 2001-01-01, end: 2001-02-05}\nresume: half.safetensors\n"
    rest = run(write(text + "output: {restart: half.safetensors}\n"))  # continued in place
    xr.testing.assert_equal(rest["storage"], whole["storage"].isel(time=slice(20, 35)))
    assert run(write(LOOP + "resume: half.safetensors\n")).sizes["time"] == 5


def test_a_function_that_returns_a_graph_is_a_component(models, write):
    text = "graph: {components: {both: {use: pair}}}\nforcing: {source: weather, with: {days: 40}}\n"
    xr.testing.assert_equal(run(write(text))["runoff"], run(write(LOOP.replace("120", "100")))["runoff"])


def test_output_fields_choose_what_is_kept(models, write):
    results = run(write(LOOP + "output: {fields: [runoff]}\n"))
    assert list(results.data_vars) == ["runoff"]


def test_forcing_comes_from_a_file_beside_the_run_file(models, write, tmp_path):
    weather(40, 2, seed=1).to_netcdf(tmp_path / "forcing.nc")
    text = LOOP.replace("{source: weather, with: {days: 40}}", "{path: forcing.nc}")
    assert open_forcing(load_run(write(text))).sizes == {"time": 40, "cell": 2}
    assert run(write(text)).sizes["time"] == 40


def test_equal_seeds_give_equal_weights_and_components_draw_apart(models, write):
    text = """\
graph: {components: {a: {use: lstm}, b: {use: lstm, with: {hidden: 6}}}}
forcing: {source: weather, with: {days: 3}}
seed: 5
"""
    before = torch.random.get_rng_state()
    first, second = build(write(text)), build(write(text))
    other = build(write(text.replace("seed: 5", "seed: 6")))
    weights = [g.components["a"].head.weight for g in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], first.components["b"].head.weight)
    assert torch.equal(before, torch.random.get_rng_state())


def test_weights_are_loaded_and_parameters_overrule_them(models, write, tmp_path):
    from safetensors.torch import save_file

    trained = TorchBucket(capacity=300.0, shape=3.0)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    text = LOOP.replace("{capacity: 120}", "{shape: 4.0}, weights: w.safetensors")
    values = build(write(text)).components["soil"].physical.values()
    assert values["capacity"].item() == pytest.approx(300.0, rel=1e-5)
    assert values["shape"].item() == pytest.approx(4.0, rel=1e-5)


def test_float64_runs_in_float64(models, write):
    graph = build(write(LOOP + "dtype: float64\n"))
    assert {p.dtype for p in graph.parameters()} == {torch.float64}
    assert run(write(LOOP + "dtype: float64\n"))["storage"].dtype == "float64"


def test_numbers_words_and_dates_follow_yaml_1_2(write):
    text = LOOP.replace("{days: 40}", "{a: 1e-5, b: NO, c: 12:30, d: 2001-02-30, e: 010, f: ~}")
    assert load_run(write(text)).forcing.arguments == {
        "a": 1e-5,
        "b": "NO",
        "c": "12:30",
        "d": "2001-02-30",
        "e": "010",
        "f": None,
    }


def test_the_30th_of_february_is_a_date_of_the_360_day_calendar(write):
    period = "period: {start: 2001-02-30, end: 2002-01-01}\n"
    assert load_run(write(LOOP + period + "calendar: 360_day\n")).period.start == "2001-02-30"
    message = fault(write(LOOP + period))
    assert "run.yaml:8: period.start: time '2001-02-30' does not exist" in message
    assert "calendar standard" in message


def test_the_json_schema_knows_every_key_and_says_what_it_is():
    schema = RunFile.model_json_schema()
    assert set(schema["required"]) == {"graph", "forcing"}
    component = schema["$defs"]["ComponentSection"]
    assert set(component["properties"]) == {"use", "with", "parameters", "weights", "sha256"}
    assert component["additionalProperties"] is False
    for section in (schema, *schema["$defs"].values()):
        for key, value in section["properties"].items():
            assert value.get("description"), key


def test_plugins_extend_the_field_dictionary_and_a_broken_one_warns(models):
    assert "depth_of_puddles" in plugin_dictionary()
    (models / "samples" / "own.yaml").unlink()
    with pytest.warns(PluginWarning, match="dictionary 'own' of samples 1.0 is left out: .*own.yaml cannot be read"):
        assert "depth_of_puddles" not in plugin_dictionary()


# Faults of the text
