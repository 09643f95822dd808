"""`crest evaluate`: the table says what the metrics say, and mistakes are told by the option that made them."""

import json

import numpy as np
import pytest
import xarray as xr
from crest_training import nse

from crest_core.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three years of a run and of observations, and no other folder in sight."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    generator = np.random.default_rng(3)
    times = xr.date_range("2001-01-01", "2003-12-31", freq="1D")
    observed = generator.exponential(size=(len(times), 2))
    for name, values in (("obs", observed), ("run", observed + generator.normal(0.0, 0.3, observed.shape))):
        field = xr.DataArray(values, dims=("time", "cell"), coords={"time": times, "cell_id": ("cell", ["a", "b"])})
        field.assign_attrs(units="mm day-1").to_dataset(name="q").to_netcdf(f"{name}.nc", engine="h5netcdf")
    return tmp_path


def run(capsys, *words: str) -> tuple[int, str]:
    """Return exit code and all that was printed."""
    code = 0
    try:
        main(["evaluate", *words])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_a_run_is_scored_from_its_first_to_its_last_step(folder, capsys):
    code, told = run(capsys, "run.nc", "--observed", "obs.nc:q", "--metric", "nse", "--report", "out",
                     "--anchor", "nse=0.73=LSTM [2019]", "--place", "b")  # fmt: skip
    assert code == 0 and "wrote out/index.html" in told and "LSTM [2019] (published)" in told
    rows = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))["rows"]
    with xr.open_dataset("run.nc") as simulated, xr.open_dataset("obs.nc") as observed:
        known = float(np.median(nse(simulated["q"].values, observed["q"].values)))
    assert rows[0]["median"] == pytest.approx(known) and f"{known:.3f}" in told
    assert {row["source"] for row in rows} == {"model", "persistence"}


def test_a_climatology_needs_a_period_of_training(folder, capsys):
    code, told = run(capsys, "run.nc", "--observed", "obs.nc:q", "--from", "2003-01-01", "--to", "2004-01-01",
                     "--training", "2001-01-01/2003-01-01", "--metric", "kge")  # fmt: skip
    assert code == 0 and "climatology" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run.nc", "--observed", "obs.nc"), "expected FILE:VARIABLE"),
        (("run.nc", "--observed", "nothing.nc:q"), "--observed nothing.nc: there is no such file"),
        (("run.nc", "--observed", "obs.nc:x"), "no variable 'x'; it holds q"),
        (("run.nc", "--observed", "obs.nc:q", "--training", "2001"), "expected two dates with a slash"),
        (("run.nc", "--observed", "obs.nc:q", "--anchor", "nse=high"), "expected METRIC=VALUE=NAME"),
        (("a-model", "--observed", "obs.nc:q"), "'a-model' is no file, and as a component it needs --forcing FILE"),
        (("a-model", "--observed", "obs.nc:q", "--forcing", "obs.nc"), "a-model"),
        (("torch-lstm.txt", "--observed", "obs.nc:q"), "is no file"),
        (("broken.nc", "--observed", "obs.nc:q"), "RUN broken.nc: expected NetCDF or Zarr that xarray opens"),
        (("run.nc", "--observed", "obs.nc:q", "--metric", "skill"), "skill"),
    ],
)
def test_mistakes_are_told(folder, capsys, words, message):
    (folder / "broken.nc").write_bytes(b"not netcdf")
    code, told = run(capsys, *words)
    assert code != 0 and message in " ".join(told.split())
