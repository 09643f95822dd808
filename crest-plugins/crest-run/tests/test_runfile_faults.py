"""Run files: that they execute nothing, and what their faults are called."""

import pytest
import torch
from crest_run import RunFileError, build_graph, execute, load_run

from crest_core import (
    CouplingError,
    FieldError,
    ForcingError,
    PeriodError,
    PluginError,
    StoreError,
    TimeError,
)
from crest_core.testing import weather

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
            "run.yaml:4: graph.components.evaporation: with: threshold: expected a number (float), got 'low'",
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
