"""Files, folders and stores of runs."""

import numpy as np
import pytest
import xarray as xr
from crest_plot import PlotError, open_run

from crest_core import Connection, Graph, simulate
from crest_core.plugins import registry
from crest_core.testing import Stress, TorchBucket, weather


@pytest.mark.parametrize("kind", ["netcdf", "classic", "zarr"])
def test_files_and_folders_give_what_was_written(run, tmp_path, kind):
    path = tmp_path / f"run.{kind}"
    if kind == "zarr":
        run.to_zarr(path, consolidated=False)
    else:
        run = run.drop_vars("cell_id")  # classic files pad text
        run.to_netcdf(path, engine="h5netcdf" if kind == "netcdf" else "scipy")
    with open_run(path) as found:
        xr.testing.assert_allclose(found.load(), run)


@pytest.fixture
def store(tmp_path):
    """The store of a run of 20 days, made by the registered archive, and its results."""
    lag = Connection("soil.storage", "evaporation.storage", lagged=True, initial=50.0)
    graph = Graph({"soil": TorchBucket(), "evaporation": Stress()}, [lag])
    archive = registry().load("archives", "icechunk")(tmp_path / "run")
    with archive:
        simulate(graph, weather(20, cells=2, seed=1), window="10D", archive=archive)
    return tmp_path / "run"


def test_the_store_of_a_run_is_opened_by_the_registered_archive(store, crest):
    found = open_run(store)
    assert found.sizes["time"] == 20 and np.isfinite(found["storage"].values).all()
    status, out, _ = crest("plot", store, "storage", "--output", "storage.png")
    assert (status, out.strip()) == (0, "storage.png")


def test_a_stream_is_for_stores_only(store, file, crest):
    assert "file has no" not in crest("plot", store, "storage", "--stream", "weekly")[1]
    status, _, err = crest("plot", store, "storage", "--stream", "weekly")
    assert status == 2 and "weekly" in err and "cannot be opened as the store of a run" in err
    with pytest.raises(PlotError, match="--stream daily: .*results.nc is no store of a run"):
        open_run(file, stream="daily")


def test_a_branch_is_opened_by_its_name(store, file):
    archive = registry().load("archives", "icechunk")
    with archive(store) as main:
        first = main.restarts()[0]
        end = np.datetime64(main.load(first)[1]["time"])
        main.branch_from(first, "dry-year")
    whole = open_run(store, branch="main")
    assert open_run(store).sizes["time"] == whole.sizes["time"] == 20
    xr.testing.assert_equal(open_run(store, branch="dry-year"), whole.sel(time=whole.time < end))
    with pytest.raises(PlotError, match="cannot be opened as the store of a run: .*wet-year"):
        open_run(store, branch="wet-year")
    with pytest.raises(PlotError, match="--branch dry-year: .*results.nc is no store of a run, and has no branches"):
        open_run(file, branch="dry-year")


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path, file):
    with pytest.raises(PlotError, match="nowhere.nc: no such file or folder; give a NetCDF file, a Zarr folder or"):
        open_run(tmp_path / "nowhere.nc")
    (tmp_path / "text.nc").write_text("no data")
    with pytest.raises(PlotError, match="text.nc cannot be read as a NetCDF file .*; is it complete, and of this kind"):
        open_run(tmp_path / "text.nc")
    (tmp_path / "cut.nc").write_bytes(file.read_bytes()[:2000])
    with pytest.raises(PlotError, match="cut.nc cannot be read as a NetCDF file"):
        open_run(tmp_path / "cut.nc")
    (tmp_path / "damaged.zarr").mkdir()
    (tmp_path / "damaged.zarr" / "zarr.json").write_text("{")
    with pytest.raises(PlotError, match="damaged.zarr cannot be read as a Zarr folder"):
        open_run(tmp_path / "damaged.zarr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlotError, match="empty is no Zarr group, and cannot be opened as the store of a run"):
        open_run(tmp_path / "empty")


@pytest.mark.parametrize("place", ["ftp://host/run", "https://host/run.nc", "file://host/run"])
def test_a_url_is_that_of_a_store_or_refused_in_one_line(crest, place):
    status, out, err = crest("plot", place, "storage")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(
        f"crest: {place} cannot be opened as the store of a run: run {place}: {place.split(':')[0]}://"
    )
    assert "expected a folder, s3://bucket/run or gs://bucket/run" in err


def test_a_url_needs_crest_store(monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "crest-plot")
    registry.cache_clear()
    with pytest.raises(PlotError, match="s3://bucket/run is a URL; if it is the store of a run, pip install"):
        open_run("s3://bucket/run")
    registry.cache_clear()


def test_a_folder_needs_crest_store(tmp_path, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "crest-plot")
    registry.cache_clear()
    with pytest.raises(PlotError, match="is a folder and no Zarr group .*; if it is the store of a run, pip install"):
        open_run(tmp_path)
    registry.cache_clear()
