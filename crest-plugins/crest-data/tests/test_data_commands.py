"""The commands of `crest data`: what they print, write and refuse; and all that the package registers."""

import json
from importlib.util import find_spec

import crest_data
import pytest
import xarray as xr
from crest_data import CatalogueError, check_convention
from crest_data.commands import app
from typer.testing import CliRunner

from crest_core import registry


@pytest.fixture
def data(folder, monkeypatch):
    """Return a function that runs `crest data` in the folder of a catalogue."""
    monkeypatch.chdir(folder)

    def run(*words, status=0):
        result = CliRunner().invoke(app, list(words), catch_exceptions=True)
        if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.stdout

    return run


OWN = [entry for entry in registry().entries if entry.distribution == "crest-data" and entry.kind != "plugin"]


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_all_that_is_registered_loads(entry):
    assert registry().load(entry.kind, entry.name) is not None
    assert entry.summary


def test_every_reader_is_registered():
    names = {entry.name for entry in OWN if entry.kind == "data_sources"}
    assert names >= {"netcdf", "zarr", "csv", "parquet", "era5", "era5-land", "grib", "camels-us", "camels-us-netcdf"}
    assert names >= {"caravan", "airgr", "fluxnet", "smap", "modis-snow", "schwingbach", "catalogue"}


def test_a_fresh_machine_lists_what_is_there_and_what_to_install(data):
    rows = {row["name"]: row for row in json.loads(data("list", "--json"))}
    assert rows["package-data/fulda"]["status"] == "ready"
    assert rows["package-data/ecostress-towers"]["status"] in (
        "ready",
        "install: pip install --no-deps ecov002-calval-tables",
    )
    assert "hymod-example" in data("list")
    assert "Ten days of rain" in data("list", "--catalogue", "brook.yaml")


def test_info_tells_licence_citation_files_parameters_and_variables(data):
    text = data("info", "daily", "--catalogue", "brook.yaml")
    for words in ("CC-BY-4.0", "Nobody (2000)", "checked by sha256", "step=1D: length of a step", "discharge [m3 s-1]"):
        assert words in text
    assert json.loads(data("info", "fulda", "--json"))["licence"] == "MIT"


def test_open_prints_a_row_for_each_variable_and_writes_netcdf(data, folder):
    text = data("open", "daily", "--catalogue", "brook.yaml", "--param", "zone=UTC", "--output", "brook.nc")
    assert "precipitation  mm day-1  time, cell  2000-01-01 to 2000-01-10  0.0        1    5.5   10" in text
    with xr.open_dataset(folder / "brook.nc") as written:
        check_convention(written.load())
    with pytest.raises(CatalogueError, match="brook.nc exists; give another path"):
        data("open", "daily", "--catalogue", "brook.yaml", "--output", "brook.nc")
    rows = json.loads(data("open", "daily", "--catalogue", "brook.yaml", "--json"))
    assert [row["variable"] for row in rows] == ["precipitation", "discharge"]


def test_a_parameter_is_a_key_and_a_value(data):
    with pytest.raises(CatalogueError, match="--param frequency: expected KEY=VALUE"):
        data("open", "schwingbach", "--param", "frequency")
    with pytest.raises(CatalogueError, match="expected a number from 0 to 1, got 2.0"):
        data("open", "schwingbach", "--param", "min_valid_fraction=2")


def test_check_ends_with_1_where_a_file_is_damaged(data, folder):
    assert "ok      brook/daily" in data("check", "brook.yaml")
    assert "ok      package-data/fulda" in data("check", "fulda")
    (folder / "brook.csv").write_text("damaged")
    assert "brook.csv has 7 bytes" in data("check", "brook.yaml", status=1)
    (found,) = json.loads(data("check", "brook.yaml", "--json", status=1))
    assert found["status"] == "failed"


def test_check_ends_with_1_where_a_catalogue_is_left_out(data, folder):
    shelf = folder.parent / "shelf"
    shelf.mkdir()
    (shelf / "broken.yaml").write_text("crest_catalogue: 2")
    assert "ok      package-data/fulda" in data("check", status=1)


def test_add_makes_a_catalogue_known(data):
    assert "added 'brook'" in data("add", "brook.yaml")
    assert "brook: A brook of our own" in data("list")
    assert "ok      brook/daily" in data("check", "daily")


@pytest.mark.parametrize("command", ["list", "info", "check", "open", "add"])
def test_the_help_of_each_command_has_an_example(data, command):
    assert f"crest data {command}" in data(command, "--help")


def test_no_public_name_is_also_a_module():
    """Python would hand out the module once it was imported."""
    assert not [name for name in crest_data.__all__ if find_spec(f"crest_data.{name}")]
