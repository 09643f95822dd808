"""What a run writes: never over what it reads, never over what is no file, and told before the run starts."""

import os
from errno import EACCES
from pathlib import Path

import pytest
import xarray as xr
from crest_run import RunFileError, execute, load_run, targets

from crest_core import StoreError
from crest_core.testing import weather

RUN = """\
graph:
  components:
    soil: {use: bucket, weights: soil.safetensors}
forcing: {path: forcing.nc}
"""


@pytest.fixture
def told(models, tmp_path):
    """Return what a run with these lines is refused for; nothing is built, since the weights do not exist."""
    weather(3, 2, seed=1).to_netcdf(tmp_path / "forcing.nc")

    def told(lines, kind=RunFileError):
        path = tmp_path / "run.yaml"
        path.write_text(RUN + lines + "\n")
        before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
        with pytest.raises(kind) as error:
            execute(load_run(path))
        assert {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before
        return str(error.value).replace(f"{tmp_path}/", "")

    return told


@pytest.mark.parametrize(
    ("lines", "key", "file", "other"),
    [
        ("output: {path: forcing.nc}", "path", "forcing.nc", "forcing.path"),
        ("output: {path: run.yaml}", "path", "run.yaml", "the run file"),
        ("output: {record: run.yaml}", "record", "run.yaml", "the run file"),
        ("output: {restart: soil.safetensors}", "restart", "soil.safetensors", "graph.components.soil.weights"),
        ("output: {path: a, restart: a}", "restart", "a", "output.path"),
        ("output: {path: a, record: a}", "record", "a", "output.path"),
        ("output: {restart: a, record: sub/../a}", "record", "sub/../a", "output.restart"),
        ("resume: a\noutput: {path: a}", "path", "a", "resume"),
        ("resume: a\noutput: {record: a}", "record", "a", "resume"),
        ("resume: a\noutput: {restart: a, record: a}", "record", "a", "output.restart"),
        ("resume: forcing.nc\noutput: {restart: forcing.nc}", "restart", "forcing.nc", "forcing.path"),
    ],
)
def test_a_file_that_a_run_reads_or_writes_is_not_written_again(told, lines, key, file, other):
    line = 5 + lines.count("\n")
    assert told(lines) == (
        f"run.yaml:{line}: output.{key}: {file} is also {other} and would be overwritten; give another path"
    )


def test_a_link_to_what_is_read_counts_as_the_file_itself(told, tmp_path):
    (tmp_path / "out.nc").symlink_to("forcing.nc")
    assert "output.path: out.nc is also forcing.path" in told("output: {path: out.nc}")


def test_results_go_where_a_link_points(models, tmp_path):
    weather(3, 2, seed=1).to_netcdf(tmp_path / "forcing.nc")
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.nc").symlink_to("disk/results.nc")
    (tmp_path / "run.yaml").write_text(
        RUN.replace("bucket, weights: soil.safetensors", "pair") + "output: {path: out.nc}\n"
    )
    results = execute(load_run(tmp_path / "run.yaml"))
    assert (tmp_path / "out.nc").is_symlink()
    with xr.open_dataset(tmp_path / "disk" / "results.nc") as written:
        xr.testing.assert_equal(written.load(), results)


@pytest.mark.parametrize("key", ["path", "restart", "record"])
def test_what_is_no_regular_file_is_left_alone_before_the_run(told, tmp_path, key):
    (tmp_path / "taken").mkdir()
    message = f"run.yaml:5: output.{key}: taken is no regular file and is left alone; give the path of a file"
    assert told(f"output: {{{key}: taken}}", StoreError) == message
    (tmp_path / "taken").rmdir()
    os.mkfifo(tmp_path / "taken")
    assert told(f"output: {{{key}: taken}}", StoreError) == message
    assert (tmp_path / "taken").is_fifo()


def test_a_folder_that_cannot_be_made_is_told_before_the_run(told, tmp_path):
    (tmp_path / "taken").write_text("a file")
    message = told("output: {path: taken/out.nc}", StoreError)
    assert "run.yaml:5: output.path: taken/out.nc cannot be written: [Errno 17] File exists" in message


def test_a_folder_that_takes_no_files_is_told_before_the_run(told, monkeypatch):
    def refuse(dir: Path):
        raise PermissionError(EACCES, "Permission denied", str(dir))

    monkeypatch.setattr(targets, "TemporaryFile", refuse)  # a mode does not keep root out
    message = told("output: {restart: out/end.safetensors}", StoreError)
    assert "run.yaml:5: output.restart: out/end.safetensors cannot be written: [Errno 13] Permission denied" in message


def test_a_name_that_is_too_long_and_a_circle_of_links_are_told_before_the_run(told, tmp_path):
    assert "File name too long" in told(f"output: {{path: {'x' * 300}}}", StoreError)
    (tmp_path / "out.nc").symlink_to("out.nc")
    assert "run.yaml:5: output.path: " in told("output: {path: out.nc}", (StoreError, RunFileError))


def test_a_run_that_resumes_does_not_replace_the_results_before_it(told, tmp_path):
    (tmp_path / "out.nc").write_text("the first part")
    message = told("resume: end.safetensors\noutput: {path: out.nc, restart: end.safetensors}")
    assert message == (
        "run.yaml:6: output.path: out.nc exists and holds what came before the restart; give another path"
    )
