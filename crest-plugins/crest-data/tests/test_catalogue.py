"""Catalogues: what is read, what is refused, and where the parameters go."""

import hashlib

import pytest
from crest_data import (
    CatalogueError,
    check_convention,
    find_entry,
    load_catalogue,
    open_entry,
    write_catalogue,
)


def fault(write, folder, old, new):
    path = write(folder, lambda text: text.replace(old, new))
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    return str(caught.value).replace(str(folder), "")


def test_an_entry_opens_with_values_units_and_origin(folder):
    dataset = open_entry("daily", catalogue=folder / "brook.yaml")
    assert dataset["precipitation"].values[:, 0].tolist() == list(range(1, 11))
    assert dataset["discharge"].attrs["units"] == "m3 s-1"
    assert dataset.attrs["licence"] == "CC-BY-4.0" and dataset.attrs["citation"] == "Nobody (2000)"
    assert dataset.attrs["catalogue_entry"] == "brook/daily"
    content = (folder / "brook.yaml").read_bytes()
    assert dataset.attrs["catalogue_sha256"] == hashlib.sha256(content).hexdigest()
    check_convention(dataset)


def test_a_parameter_goes_into_the_argument_that_the_catalogue_names(folder):
    dataset = open_entry("daily", catalogue=folder / "brook.yaml", zone="local days, UTC+1")
    assert dataset.attrs["time_zone"] == "local days, UTC+1"


def test_a_written_catalogue_reads_back_the_same(folder, tmp_path):
    catalogue = load_catalogue(folder / "brook.yaml")
    copy = write_catalogue(catalogue.section, tmp_path / "copy.yaml")
    assert copy.section == catalogue.section


@pytest.mark.parametrize("text", ["1e-5", "2000-01-01", "NO", "null", "0x1", "12:30", "- a", "a: b", "é", "", " a"])
def test_a_text_that_looks_like_something_else_stays_text(folder, tmp_path, text):
    catalogue = load_catalogue(folder / "brook.yaml")
    entry = catalogue["daily"].section
    odd = entry.model_copy(update={"arguments": {**entry.arguments, "source": text}})
    section = catalogue.section.model_copy(update={"entries": {"daily": odd}})
    copy = write_catalogue(section, tmp_path / "copy.yaml")
    assert copy["daily"].section.arguments["source"] == text


def test_a_fault_names_file_line_key_and_what_was_meant(write, folder):
    message = fault(write, folder, "    licence:", "    lisence:")
    assert "brook.yaml:21: entries.daily.lisence: unknown key; allowed: summary, reader" in message
    assert "did you mean 'licence'?" in message
    assert "entries.daily.licence: missing key" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("summary: A brook", "name: again\nsummary: A brook", "name: the key appears twice, first in line 2"),
        ("CC-BY-4.0", "!!python/object/apply:os.system [ls]", "the tag 'tag:yaml.org,2002:python/object/apply:os"),
        ("CC-BY-4.0", "&a CC-BY-4.0\n    remarks: *a", "YAML aliases (*name) are not read"),
        ("reader: csv", "reader: os:system", "never an import path, got 'os:system'"),
        ("reader: csv", "reader: catalogue", "cannot be read by the reader catalogue"),
        ("A brook of our own", '"{{ env }}"', "templates are not read"),
        ("separator: ;", 'separator: "{% x %}"', "templates are not read"),
        ("separator: ;", 'separator: "{pickle64(gASV)}"', "templates are not read"),
        ("path: brook.csv", 'path: "{{ CATALOG_DIR }}/a"', "templates are not read"),
        ("path: brook.csv, ", "path: brook.csv, url: 'https://a.org/b', ", "expected one of the keys path and url"),
        ("size: ", "sise: ", "did you mean 'size'?"),
        ("type: text", "type: txt", "did you mean 'text'?"),
        ("argument: time_zone", "argument: step", "the argument step is given twice"),
        ("zone: {type", "entry: {type", "a parameter cannot be called entry"),
        ('"2000-01-11"', '"2000-02-30"', "does not exist in the calendar standard"),
        ("discharge: m3 s-1}", "discharge: foo bar}", "write UDUNITS text"),
        ("entries:", "entries: {}\nothers:", "others: unknown key"),
    ],
)
def test_what_is_not_in_the_schema_is_refused(write, folder, old, new, words):
    assert words in fault(write, folder, old, new)


def test_a_file_that_is_no_catalogue_is_told(folder):
    (folder / "brook.yaml").write_text("")
    with pytest.raises(CatalogueError, match="the file is empty; expected the keys of a catalogue"):
        load_catalogue(folder / "brook.yaml")
    with pytest.raises(CatalogueError, match="there is no such file"):
        load_catalogue(folder / "absent.yaml")
    (folder / "large.yaml").write_bytes(b"#" * (1 << 22) + b"\n")
    with pytest.raises(CatalogueError, match="no catalogue is as large"):
        load_catalogue(folder / "large.yaml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("reader: csv", "reader: cvs", "'cvs' is not installed; did you mean 'csv'?"),
        ("separator: ;", "seperator: ;", "no argument 'seperator'; did you mean 'separator'?"),
        ("separator: ;", "separator: ;\n      citation: [1]\n      places_: 1", "no argument 'places_'"),
        ("step: {type", "stop: {type", "no argument 'stop'; did you mean 'step'?"),
        ("{name: discharge, units", "{name: discharge, unit", "variables.flow: expected name, units"),
    ],
)
def test_a_reader_gets_no_argument_that_it_does_not_have(write, folder, old, new, words):
    path = write(folder, lambda text: text.replace(old, new))
    with pytest.raises(CatalogueError, match="brook.yaml|variables") as caught:
        open_entry("daily", catalogue=path)
    assert words in str(caught.value)


def test_a_path_is_given_under_files_where_it_is_checked(write, folder):
    path = write(folder, lambda text: text.replace("reader: csv", "reader: schwingbach"))
    text = path.read_text()
    start, end = text.index("    files:"), text.index("    licence:")
    path.write_text(text[:start] + "    arguments: {folder: /etc}\n" + text[end:])
    with pytest.raises(CatalogueError, match="the argument 'folder' of schwingbach is a path; give it under files"):
        open_entry("daily", catalogue=path)


def test_an_argument_that_is_needed_and_absent_is_told(write, folder):
    path = write(folder, lambda text: text.replace("      places: {brook: [51.0, 9.0]}\n", ""))
    with pytest.raises(CatalogueError, match="the reader csv needs places"):
        open_entry("daily", catalogue=path)


@pytest.mark.parametrize(
    ("value", "words"),
    [("2h", "expected one of 1D, 1h, got '2h'"), ("1DD", "did you mean '1D'?"), (3, "expected text, got 3")],
)
def test_a_parameter_takes_its_own_values_only(folder, value, words):
    with pytest.raises(CatalogueError, match="brook/daily, parameter step") as caught:
        open_entry("daily", catalogue=folder / "brook.yaml", step=value)
    assert words in str(caught.value)


def test_an_unknown_parameter_or_entry_is_told_with_those_near(folder):
    with pytest.raises(CatalogueError, match="no parameter 'zones'; did you mean 'zone'"):
        open_entry("daily", catalogue=folder / "brook.yaml", zones="UTC")
    with pytest.raises(CatalogueError, match="no entry 'dayly'; did you mean 'daily'"):
        open_entry("dayly", catalogue=folder / "brook.yaml")
    with pytest.raises(CatalogueError, match="no entry 'fuldo' in the catalogues; did you mean 'fulda'"):
        find_entry("fuldo")
