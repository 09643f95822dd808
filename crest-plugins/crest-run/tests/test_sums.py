"""Sums of the files that a run file names by path: another file is refused before it is opened, and by name."""

import json
from hashlib import sha256

import pytest
from crest_run import GoingOn, RunFileError, build_graph, execute, load_run, open_forcing, rerun
from safetensors.torch import save_file

from crest_core.testing import TorchBucket, weather

RUN = """\
graph:
  components:
    soil:
      use: bucket
      weights: soil.safetensors
      sha256: {weights}
    evaporation: {{use: stress}}
  connections:
    - {{from: soil.storage, to: evaporation.storage, lagged: true, initial: 50.0}}
forcing:
  path: weather.nc
  sha256: {forcing}
window: 10D
"""


@pytest.fixture
def files(models, tmp_path):
    """A folder with weights and forcing."""
    save_file(TorchBucket(capacity=100.0).state_dict(), tmp_path / "soil.safetensors")
    weather(20, cells=2, seed=1).to_netcdf(tmp_path / "weather.nc", engine="h5netcdf")
    return tmp_path


def sums_of(folder):
    paths = {"weights": folder / "soil.safetensors", "forcing": folder / "weather.nc"}
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}


def flip(path):
    """Change one bit near the end of a file: one of its numbers."""
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def write(folder, more="", *, keys=True):
    text = RUN.format(**sums_of(folder))
    text = text if keys else "".join(line for line in text.splitlines(keepends=True) if "sha256" not in line)
    (folder / "run.yaml").write_text(text + more)
    return load_run(folder / "run.yaml")


def test_files_with_the_right_sums_run_and_are_recorded(files):
    results = execute(write(files, "output: {record: record.json}\n"))
    expected = {"graph.components.soil.weights": sums_of(files)["weights"], "forcing.path": sums_of(files)["forcing"]}
    assert json.loads(results.attrs["files"]) == expected
    assert json.loads((files / "record.json").read_text())["files"] == expected
    assert json.loads(execute(write(files, keys=False)).attrs["files"]) == expected


@pytest.mark.parametrize(
    ("name", "call", "place"),
    [
        ("soil.safetensors", build_graph, r"run.yaml:5: graph.components.soil.weights"),
        ("weather.nc", open_forcing, r"run.yaml:11: forcing.path"),
    ],
)
def test_one_flipped_bit_is_refused_before_the_file_is_opened(files, name, call, place):
    run = write(files)
    if name == "weather.nc":
        weather(20, cells=2, seed=2).to_netcdf(files / name, engine="h5netcdf")
    else:
        flip(files / name)
    with pytest.raises(
        RunFileError, match=rf"{place}: .*{name} has the sha256 \w{{64}}, expected \w{{64}}; it is damaged"
    ):
        call(run)
    (files / name).write_bytes(b"of another kind")
    with pytest.raises(RunFileError, match=rf"{name} has the sha256"):
        execute(run)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("      weights: soil.safetensors\n", "", "graph.components.soil: the key sha256 belongs to weights"),
        ("path: weather.nc", "source: weather", "forcing: the key sha256 belongs to path"),
        ("sha256: {forcing}", "sha256: abc", "run.yaml:12: forcing.sha256: .*match pattern"),
    ],
)
def test_a_sum_is_of_a_file_and_has_64_digits(files, old, new, message):
    (files / "run.yaml").write_text(RUN.replace(old, new).format(**sums_of(files)))
    with pytest.raises(RunFileError, match=message):
        load_run(files / "run.yaml")


@pytest.mark.parametrize("name", ["soil.safetensors", "weather.nc"])
def test_a_run_is_not_repeated_with_other_files_unless_asked_to(files, main, capsys, name):
    execute(write(files, "output: {path: out.nc}\n", keys=False))
    if name == "weather.nc":
        weather(20, cells=2, seed=2).to_netcdf(files / name, engine="h5netcdf")
    else:
        flip(files / name)
    with pytest.raises(
        RunFileError, match=rf"{name} has the sha256 \w{{64}}, the run was made with \w{{64}}; .*put that one"
    ):
        rerun(files / "out.nc")
    with pytest.raises(SystemExit):
        main(["rerun", str(files / "out.nc"), "--changed-files", "--quiet"])
    assert "_hash was" in capsys.readouterr().out


def test_forcing_that_grew_goes_on_and_has_a_new_sum(files):
    whole = weather(40, cells=2, seed=1)
    whole.isel(time=slice(0, 20)).to_netcdf(files / "weather.nc", engine="h5netcdf")
    execute(write(files, "output: {store: {path: store}}\n"))
    whole.to_netcdf(files / "weather.nc", engine="h5netcdf")
    results = execute(write(files, "output: {store: {path: store}}\n"), going_on=GoingOn())
    assert results.sizes["time"] == 40
    assert json.loads(results.attrs["files"])["forcing.path"] == sums_of(files)["forcing"]


def test_the_command_prints_the_sums(files, main, capsys):
    write(files, keys=False)
    with pytest.raises(SystemExit):
        main(["run", str(files / "run.yaml"), "--output", str(files / "out.nc")])
    found = capsys.readouterr().out
    assert f"graph.components.soil.weights: sha256 {sums_of(files)['weights']}" in found
    assert f"forcing.path: sha256 {sums_of(files)['forcing']}" in found
