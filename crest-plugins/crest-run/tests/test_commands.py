"""The commands plan, run and schema, as users see them: exit status, standard output, standard error."""

import json
import os
import subprocess
import sys

import pytest
import xarray as xr
from crest_run import RunFileError

RUN = """\
graph:
  components:
    soil: {use: bucket}
    evaporation: {use: stress}
  connections:
    - {from: soil.storage, to: evaporation.storage, lagged: true, initial: 50.0}
forcing: {source: weather, with: {days: 40}}
"""


@pytest.fixture
def file(tmp_path):
    """A run file."""
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    return path


def test_the_commands_are_listed_without_importing_anything_heavy(models):
    code = (
        "import sys\nfrom crest_core.cli import main\ntry:\n    main(['--help'])\n"
        "except SystemExit:\n    print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(models), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    for command in ("info", "plan", "rerun", "run", "schema", "verify"):
        assert command in done.stdout.split()
    for heavy in ("torch", "xarray", "pint", "pydantic", "yaml"):
        assert f"'{heavy}'" not in done.stdout.splitlines()[-1]


def test_help_teaches_by_example(crest):
    for command in ("info", "plan", "run", "schema"):
        status, out, _ = crest(command, "--help")
        assert status == 0
        assert out.count(f"crest {command}") > 1  # the usage and an example


def test_plan_prints_blocks_connections_and_gradients(crest, file):
    status, out, err = crest("plan", file)
    assert (status, err) == (0, "")
    assert "soil" in out and "evaporation" in out and "loop" in out
    assert "Gradients" in out
    assert crest("plan", file, "--mermaid")[1].startswith("flowchart")


def test_plan_draws_a_picture(crest, file, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra crest-run[plot] is not installed")
    picture = tmp_path / "plan.png"
    assert crest("plan", file, "--draw", picture)[0] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_plan_without_matplotlib_says_what_to_install(crest, file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    status, _, err = crest("plan", file, "--draw", tmp_path / "plan.png")
    assert status == 2
    assert "crest: --draw needs matplotlib: pip install matplotlib" in err


def test_run_writes_what_the_file_asks_for_and_says_so(crest, file, tmp_path):
    file.write_text(RUN + "output: {path: out.nc, restart: end.safetensors, record: record.json}\n")
    status, out, err = crest("run", file)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path}/out.nc: 40 steps, 2001-01-01 to 2001-02-10",
        "  storage             time 40, cell 2  kg m-2",
        "  runoff              time 40, cell 2  mm day-1",
        "  evapotranspiration  time 40, cell 2  mm day-1",
        f"{tmp_path}/end.safetensors: the state at the end, to go on from (the key resume)",
        f"{tmp_path}/record.json: versions, hashes, seed and the run itself",
        f'next, in Python: xarray.open_dataset("{tmp_path}/out.nc")',
    ]
    with xr.open_dataset(tmp_path / "out.nc") as results:
        assert results.sizes["time"] == 40


def test_run_output_overrules_the_file_and_quiet_is_quiet(crest, file, tmp_path):
    file.write_text(RUN + "output: {path: out.nc}\n")
    assert crest("run", file, "--output", tmp_path / "b.nc", "--quiet") == (0, "", "")
    assert (tmp_path / "b.nc").exists()
    assert not (tmp_path / "out.nc").exists()


def test_run_output_leaves_restart_and_record_of_another_output_alone(crest, file, tmp_path):
    file.write_text(RUN + "output: {path: out.nc, restart: end.safetensors, record: record.json}\n")
    assert crest("run", file, "--output", tmp_path / "out.nc")[0] == 0  # the file's own
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert {"end.safetensors", "record.json"} <= {path.name for path in before}
    for name in ("b.2001", "b.2002.nc"):
        status, out, _ = crest("run", file, "--output", tmp_path / name)
        assert status == 0
        stem = name.removesuffix(".nc")
        files = [line.split(":")[0] for line in out.splitlines() if line.startswith(str(tmp_path))]
        assert files == [f"{tmp_path}/{one}" for one in (name, f"{stem}.restart.safetensors", f"{stem}.record.json")]
        assert (tmp_path / f"{stem}.restart.safetensors").exists() and (tmp_path / f"{stem}.record.json").exists()
    assert before == {path: path.read_bytes() for path in before}


def test_run_output_continues_a_restart_in_place(crest, file, tmp_path):
    file.write_text(
        RUN + "period: {start: 2001-01-01, end: 2001-01-21}\noutput: {path: a.nc, restart: r.safetensors}\n"
    )
    assert crest("run", file)[0] == 0
    before = (tmp_path / "r.safetensors").read_bytes()
    file.write_text(RUN + "resume: r.safetensors\noutput: {path: a.nc, restart: ./r.safetensors}\n")
    assert f"\n{tmp_path}/r.safetensors: " in crest("run", file, "--output", tmp_path / "b.nc")[1]
    assert (tmp_path / "r.safetensors").read_bytes() != before
    assert not list(tmp_path.glob("b.*safetensors"))


def test_run_without_a_place_for_results_does_not_run(crest, file):
    status, out, err = crest("run", file)
    assert (status, out) == (2, "")
    assert "run.yaml:1: output: results have no file; add path or store, or --output" in err


def test_schema_is_json_schema(crest):
    status, out, _ = crest("schema")
    assert status == 0
    assert json.loads(out)["additionalProperties"] is False


def test_the_module_runs_a_file_in_a_process_of_its_own(models, file, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(models), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "crest_core", "run", str(file), "--output", "a.nc"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("a.nc: 40 steps")


def test_an_error_is_one_clean_message_without_traceback(crest, file):
    file.write_text(RUN.replace("use: bucket", "usee: bucket"))
    status, out, err = crest("plan", file)
    assert (status, out) == (2, "")
    assert err.startswith("crest: ")
    assert "run.yaml:3: graph.components.soil.usee: unknown key; allowed: use, with" in err
    assert "Traceback" not in err


def test_a_traceback_is_shown_on_request(main, file, monkeypatch):
    file.write_text("{}")
    monkeypatch.setenv("CREST_TRACEBACK", "1")
    with pytest.raises(RunFileError, match="missing key"):
        main(["plan", str(file)])


def test_a_failure_of_the_machine_or_model_has_status_1(crest, file, tmp_path):
    (tmp_path / "folder").mkdir()
    for command, option in (("run", "--output"), ("plan", "--draw")):
        status, _, err = crest(command, file, option, tmp_path / "folder")
        assert status == 1
        assert "folder is no regular file and is left alone; give the path of a file" in err
        assert "Traceback" not in err


def test_a_picture_of_a_kind_that_cannot_be_drawn_is_told(crest, file):
    pytest.importorskip("matplotlib", reason="the extra crest-run[plot] is not installed")
    status, _, err = crest("plan", file, "--draw", file)
    assert status == 2
    assert "run.yaml: Format 'yaml' is not supported" in err
    assert file.read_text() == RUN


def test_run_output_does_not_overwrite_the_run_file(crest, file):
    status, _, err = crest("run", file, "--output", file)
    assert status == 2
    assert "output.path: " in err and "run.yaml is also the run file and would be overwritten" in err
    assert file.read_text() == RUN
