"""Run files: what they mean, that they execute nothing, and what their faults are called."""

import json

import pytest
import torch
import xarray as xr
from crest_run import RunFile, RunFileError, build_graph, execute, load_run, open_forcing, plugin_dictionary

from crest_core import (
    Connection,
    CouplingError,
    FieldError,
    ForcingError,
    Graph,
    PeriodError,
    PluginError,
    StoreError,
    TimeError,
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


@pytest.fixture
def write(tmp_path):
    """Write a run file and return its path."""

    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


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


def test_an_unknown_key_lists_the_allowed_ones(write):
    text = LOOP.replace("    soil: {use: bucket", "    soil:\n      {usee: bucket")
    message = fault(write(text))
    assert "run.yaml:4: graph.components.soil.usee: unknown key; allowed: use, with" in message
    assert "did you mean 'use'?" in message
    assert "run.yaml:3: graph.components.soil.use: missing key" in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("colour: red", "run.yaml:8: colour: unknown key; allowed: graph, forcing, period"),
        ("calendar: nolaep", "8: calendar: expected 'standard', 'proleptic_gregorian', 'noleap'"),
        ("calendar: nolaep", "got 'nolaep'; did you mean 'noleap'?"),
        ("dtype: float16", "run.yaml:8: dtype: expected 'float32' or 'float64', got 'float16'"),
        ("seed: -1", "run.yaml:8: seed: expected greater than or equal to 0, got -1"),
        (f"seed: {2**70}", "run.yaml:8: seed: expected less than 9223372036854775808, got 1180591620717411303424"),
        ("window: 99999999999999D", "run.yaml:8: window: timestep '99999999999999D' is not"),
        ("dtype: int32", "run.yaml:8: dtype: expected 'float32' or 'float64', got 'int32'"),
        ("seed: 1.5", "run.yaml:8: seed: expected a valid integer, got 1.5"),
        ("window: 1 month", "run.yaml:8: window: timestep '1 month' is not a whole number"),
        ("period: {start: 2001-01-01}", "run.yaml:8: period.end: missing key"),
        ("period: 2001", "run.yaml:8: period: expected the keys start, end, got 2001"),
        (
            "period: {start: 2001-01-01T00:00Z, end: 2002-01-01}",
            "period.start: time '2001-01-01T00:00Z' has a time zone; convert it to UTC",
        ),
        ("period: {start: 2001, end: 2002}", "period.start: expected a valid string, got 2001"),
        ("output: {path: ''}", "run.yaml:8: output.path: expected the path of a file, got ''"),
        ("output: {fields: runoff}", "run.yaml:8: output.fields: expected a valid list"),
        ("seed: 1\nseed: 2", "run.yaml:9: seed: the key appears twice, first in line 8; keep one"),
        ("? [a, b]\n: 1", "run.yaml:1: run: expected a word as the key in line 8"),
        ("seed: *graph", "run.yaml:8: not valid YAML: found undefined alias"),
        ("seed: {", "run.yaml:9: not valid YAML"),
        ("---\nseed: 1", "run.yaml:8: not valid YAML: but found another document"),
        (f"seed: {'9' * 5000}", "run.yaml:8: seed: not a value: Exceeds the limit"),
        (f"seed: {'[' * 5000}", "not a YAML text file: its values are nested too deep"),
    ],
)
def test_a_fault_names_file_line_key_and_what_is_allowed(write, line, message):
    assert message in fault(write(LOOP + line + "\n"))


def test_all_faults_are_told_at_once(write):
    message = fault(write(LOOP + "seed: x\ndtype: y\nwindow: z\n"))
    assert [part.split(":")[1] for part in message.splitlines()] == ["8", "9", "10"]


def test_values_of_components_and_connections_are_checked(write):
    text = LOOP.replace("capacity: 120", "capacity: wet").replace("lagged: true", "lagged: 2")
    message = fault(write(text))
    assert "3: graph.components.soil.parameters.capacity: expected a number, or a list" in message
    assert "run.yaml:6: graph.connections.0.lagged: expected a valid boolean, got 2" in message
    message = fault(write(LOOP.replace("initial: 50.0", "initial: .nan")))
    assert "graph.connections.0.initial: expected a finite number, got nan" in message


def test_forcing_has_one_origin(write):
    for text in ("{path: a.nc, source: weather}", "{}"):
        message = fault(write(LOOP.replace("{source: weather, with: {days: 40}}", text)))
        assert "run.yaml:7: forcing: expected one of the keys source and path" in message
    message = fault(write(LOOP.replace("source: weather", "path: a.nc")))
    assert "forcing: the key with belongs to source, not to path" in message


def test_a_run_file_executes_nothing(write, tmp_path):
    for tag in ("!!python/object/apply:os.system", "!!python/name:os.system", "!!timestamp"):
        message = fault(write(LOOP + f"seed: {tag} [touch {tmp_path}/owned]\n"))
        assert "run.yaml:8: seed: the tag" in message
        assert "is not read; write a plain value" in message
    assert not (tmp_path / "owned").exists()


def test_aliases_are_refused_so_that_no_file_can_explode(write):
    message = fault(write(LOOP + "output: &o {fields: [a]}\nperiod: *o\n"))
    assert "run.yaml:9: period: YAML aliases (*name) are not read; write the values out" in message


def test_files_that_are_no_run_files_are_told(write, tmp_path):
    assert fault(tmp_path / "none.yaml") == "none.yaml: cannot be read: No such file or directory"
    assert "the file is empty; expected the keys graph and forcing" in fault(write("# nothing\n"))
    assert "run.yaml:1: run: expected the keys graph, forcing" in fault(write("- a\n"))
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\x89HDF\xff\xfe")
    assert "binary.yaml: not a YAML text file" in fault(path)


# Faults of what the text asks for


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        (
            "bucket",
            "buckett",
            PluginError,
            "3: graph.components.soil.use: components: 'buckett' is not installed; did you mean 'bucket'",
        ),
        (
            "use: stress",
            "use: stress, with: {treshold: 3}",
            RunFileError,
            "4: graph.components.evaporation: with: got an unexpected keyword argument 'treshold'; "
            "did you mean 'threshold'?; arguments: threshold: 'float' = 40.0",
        ),
        (
            "use: stress",
            "use: stress, with: {threshold: low}",
            RunFileError,
            "run.yaml:4: graph.components.evaporation: TypeError: new(): invalid data type 'str'",
        ),
        (
            "use: stress",
            "use: needy",
            RunFileError,
            "with: missing a required argument: 'size'; arguments: size",
        ),
        (
            "use: stress",
            "use: black-bucket, with: {gradient: spsa}",
            RunFileError,
            "run.yaml:4: graph.components.evaporation: AttributeError: 'str' object has no attribute",
        ),
        (
            "use: stress",
            "use: cwd",
            RunFileError,
            "4: graph.components.evaporation: use: 'cwd' gives a str, expected a Component; see `crest info cwd`",
        ),
        (
            "capacity: 120",
            "capcity: 120",
            RunFileError,
            "3: graph.components.soil.parameters.capcity: bucket has no such parameter; "
            "did you mean 'capacity'?; parameters: capacity, shape",
        ),
        (
            "capacity: 120",
            "capacity: 1200",
            FieldError,
            "3: graph.components.soil.parameters.capacity: parameter capacity [mm]: 1200.0 is not",
        ),
        (
            "capacity: 120",
            "capacity: [120, 130]",
            RunFileError,
            "run.yaml:3: graph.components.soil.parameters.capacity: RuntimeError",
        ),
        (
            "{use: stress}",
            "{use: stress, weights: none.safetensors}",
            StoreError,
            "run.yaml:4: graph.components.evaporation.weights: weights",
        ),
        (
            ", initial: 50.0",
            "",
            CouplingError,
            "run.yaml:6: graph.connections.0: Connection(",
        ),
        (
            "lagged: true, initial: 50.0",
            "lagged: false",
            CouplingError,
            "run.yaml:1: graph: the cycle soil -> evaporation -> soil has no lagged",
        ),
    ],
)
def test_a_graph_that_cannot_be_built_names_the_line(models, write, old, new, kind, message):
    assert old in LOOP
    assert message in fault(write(LOOP.replace(old, new, 1)), kind, build)


def test_weights_of_another_model_are_refused(models, write, tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    text = LOOP.replace("{use: stress}", "{use: stress, weights: w.safetensors}")
    message = fault(write(text), StoreError, build)
    assert "run.yaml:4: graph.components.evaporation.weights: weights" in message
    assert 'Missing key(s) in state_dict: "threshold"' in message
    (tmp_path / "w.safetensors").write_bytes(b"pickle")
    assert "w.safetensors do not fit Stress" in fault(write(text), StoreError, build)
    torch.save({"threshold": torch.zeros(1)}, tmp_path / "w.safetensors")
    assert "weights: weights w.safetensors do not fit Stress" in fault(write(text), StoreError, build)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{start: 2001-01-05, end: 2002-01-01}", "the run needs forcing from 2001-01-05 00:00:00 to 2002-01-01"),
        ("{start: 2000-01-05, end: 2001-02-01}", "but the data hold 2001-01-01 00:00:00 to 2001-02-10 00:00:00"),
        ("{start: 2001-01-05, end: 2001-01-07T06:00}", "lasts 2 days, 6:00:00, not a multiple of the step"),
        ("{start: 2001-01-05T06:00, end: 2001-01-07T06:00}", "which is not one of the data's times"),
    ],
)
def test_a_period_that_does_not_fit_names_the_line(models, write, line, message):
    told = fault(write(LOOP + f"period: {line}\n"), PeriodError, run)
    assert told.startswith("run.yaml:8: period: ")
    assert message in told


def test_forcing_that_does_not_fit_names_the_line_and_all_that_is_missing(models, write, tmp_path):
    data = weather(4, 2, seed=1)
    text = LOOP.replace("{source: weather, with: {days: 40}}", "{path: forcing.nc}")
    data[["lat"]].assign(rain=data["precipitation"].drop_attrs()).to_netcdf(tmp_path / "forcing.nc")
    told = fault(write(text), ForcingError, run).splitlines()
    assert told[0].startswith("run.yaml:7: forcing: forcing lacks p")
    assert len(told) == 3 and told[1].startswith("forcing lacks p")
    assert told[2] == "the data hold rain"
    data.convert_calendar("noleap", use_cftime=True).to_netcdf(tmp_path / "forcing.nc")
    assert "run.yaml:7: forcing: time 2001-01-01 00:00:00 is in the calendar noleap" in fault(
        write(text), TimeError, run
    )


def test_forcing_that_cannot_be_opened_names_the_line(models, write):
    source = "{source: weather, with: {days: 40}}"
    text = LOOP.replace(source, "{path: none.nc}")
    assert "run.yaml:7: forcing.path: FileNotFoundError" in fault(write(text), call=run)
    text = LOOP.replace(source, "{source: wether, with: {days: 40}}")
    message = fault(write(text), PluginError, run)
    assert "run.yaml:7: forcing.source: data_sources: 'wether' is not installed" in message
    assert "did you mean 'weather'?" in message
    text = LOOP.replace("days: 40", "day: 40")
    message = fault(write(text), call=run)
    assert "run.yaml:7: forcing: with: " in message
    assert "did you mean 'days'?" in message
    text = LOOP.replace(source, "{source: folder}")
    message = "run.yaml:7: forcing: data source 'folder' gives a str, expected an xarray Dataset"
    assert fault(write(text), call=run) == message


@pytest.mark.parametrize("end", ["2001-01-05", "2001-01-04"])
def test_an_end_that_is_not_after_the_start_is_told_by_its_line_before_anything_is_built(write, end):
    message = fault(write(LOOP + f"period:\n  start: 2001-01-05\n  end: {end}\n"))
    assert message == (
        f"run.yaml:10: period.end: the end {end} 00:00:00 is excluded and must lie after the start 2001-01-05 00:00:00"
        f"; move one of them"
    )


def test_both_lines_of_a_period_that_the_forcing_does_not_cover_are_named(models, write):
    message = fault(write(LOOP + "period:\n  start: 2000-01-01\n  end: 2001-01-09\n"), PeriodError, run)
    assert message.startswith(
        "run.yaml:9: period.start, run.yaml:10: period.end: the run needs forcing from 2000-01-01"
    )


def test_a_run_without_period_names_the_forcing_that_holds_no_time_for_it(models, write):
    run(write(LOOP + "output: {restart: end.safetensors}\n"))
    message = fault(write(LOOP + "resume: end.safetensors\n"), PeriodError, run)
    assert message.startswith("run.yaml:7: forcing: the period 2001-02-10T00:00:00 to 2001-02-10T00:00:00 by 1D")
