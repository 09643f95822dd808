"""Catalogues of packages, of the user and for Intake; the samples that are shipped."""

import numpy as np
import pytest
from crest_data import CatalogueError, add_catalogue, all_catalogues, check_entry, load_catalogue, open_entry, to_intake

from crest_core import registry


def test_an_added_catalogue_is_found_by_name_and_its_files_stay(folder):
    added = add_catalogue(folder / "brook.yaml")
    assert added.section.folder == str(folder)
    assert "brook" in [one.name for one in all_catalogues()]
    assert open_entry("brook/daily").equals(open_entry("daily", catalogue=folder / "brook.yaml"))
    with pytest.raises(CatalogueError, match="'brook' was added before; give --force"):
        add_catalogue(folder / "brook.yaml")
    assert add_catalogue(folder / "brook.yaml", force=True).name == "brook"


def test_a_catalogue_that_fails_its_checks_is_not_added(write, folder):
    path = write(folder)
    (folder / "brook.csv").write_text("damaged")
    with pytest.raises(CatalogueError, match="the catalogue is not added:\nbrook/daily"):
        add_catalogue(path)
    path = write(folder, lambda text: text.replace("name: brook\n", "name: package-data\n"))
    with pytest.raises(CatalogueError, match="crest-data has a catalogue of this name; rename it"):
        add_catalogue(path)


def test_an_entry_of_two_catalogues_is_called_by_both_names(write, folder):
    path = write(folder, lambda text: text.replace("  daily:", "  fulda:"))
    add_catalogue(path)
    with pytest.raises(CatalogueError, match="entry of several catalogues: brook/fulda and package-data/fulda"):
        open_entry("fulda")
    assert open_entry("brook/fulda").sizes["time"] == 10


def test_a_broken_catalogue_of_the_user_warns_and_leaves_the_others(folder):
    shelf = folder.parent / "shelf"
    shelf.mkdir()
    (shelf / "broken.yaml").write_text("crest_catalogue: 2")
    with pytest.warns(UserWarning, match="a catalogue is left out: .*broken.yaml"):
        assert "package-data" in [one.name for one in all_catalogues()]


def test_the_catalogue_is_a_data_source_of_run_files(folder):
    source = registry().load("data_sources", "catalogue")
    assert source(entry="daily", catalogue=folder / "brook.yaml", step="1D").sizes["time"] == 10


def test_intake_opens_our_entries_also_from_what_it_wrote(folder, tmp_path):
    from intake.readers.entry import Catalog

    made = to_intake(folder / "brook.yaml")
    assert list(made) == ["daily"]
    assert made["daily"].read(zone="UTC").sizes["time"] == 10
    made.to_yaml_file(str(tmp_path / "intake.yaml"))
    text = (tmp_path / "intake.yaml").read_text()
    assert "pickle" not in text and "user_parameters: {}" in text
    again = Catalog.from_yaml_file(str(tmp_path / "intake.yaml"))
    assert again["daily"].read().equals(open_entry("daily", catalogue=folder / "brook.yaml"))
    assert again["daily"].metadata["licence"] == "CC-BY-4.0"


def test_braces_in_a_path_are_not_handed_to_intake(write, tmp_path):
    (tmp_path / "{a}").mkdir()
    with pytest.raises(CatalogueError, match="Intake would take the braces of this path for a template"):
        to_intake(write(tmp_path / "{a}"))


def test_the_shipped_samples_are_whole_and_keep_to_the_convention():
    shelf = load_catalogue(registry().load("catalogues", "package-data"))
    found = {entry.name: check_entry(entry) for entry in shelf}
    assert not [one for one in found.values() if one.status == "failed"]
    assert {found[name].status for name in ("schwingbach", "fulda", "hymod-example")} == {"ok"}


def test_the_fulda_water_balance_is_that_of_a_humid_catchment():
    fulda = open_entry("fulda")
    rain = float(fulda["precipitation_flux"].mean()) * 86400 * 365.25  # kg m-2 a-1
    runoff = float(fulda["discharge"].mean()) * 86400 * 365.25 / 2976.41e6 * 1000
    assert 700 < rain < 1000 and 0.3 < runoff / rain < 0.6


def test_the_runoff_of_the_hymod_example_is_less_than_its_rain():
    data = open_entry("hymod-example")
    flow = data["discharge"]
    assert data.sizes["time"] == 1827 and np.isnan(data["lat"]).all()
    assert float(flow.isnull().mean()) == pytest.approx(366 / 1827)
    rain = data["precipitation_flux"].where(flow.notnull()).mean() * 1.783e6 / 1000  # m3 s-1
    assert 0.1 < float(flow.mean() / rain) < 0.7
