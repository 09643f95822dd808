"""Files of a catalogue: found, whole, and what a check of an entry tells."""

import hashlib
import re

import pytest
from crest_data import CatalogueError, DataError, check_entry, load_catalogue, open_entry


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-1], "bytes, expected"),
        (lambda content: b"", "has 0 bytes, expected"),
        (lambda content: content[:-3] + b"6" + content[-2:], "has the sha256"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "has the sha256"),
    ],
)
def test_a_damaged_file_is_found_before_it_is_opened(folder, damage, words):
    file = folder / "brook.csv"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CatalogueError, match=words) as caught:
        open_entry("daily", catalogue=folder / "brook.yaml")
    assert "brook.yaml:9: entries.daily.files.path" in str(caught.value) and "brook.csv" in str(caught.value)


def test_every_listed_part_of_a_folder_is_checked(write, folder):
    content = (folder / "brook.csv").read_bytes()
    part = f"{{sha256: {hashlib.sha256(content).hexdigest()}, size: {len(content)}}}"
    path = write(folder, lambda text: text[: text.index("      path:")] + f"""\
      path: {{path: ., parts: {{brook.csv: {part}}}}}
    licence: x
    citation: y
""")  # fmt: skip
    path.write_text(path.read_text().replace("reader: csv", "reader: caravan"))
    with pytest.raises(DataError):  # whole, and no Caravan folder
        open_entry("daily", catalogue=path)
    (folder / "brook.csv").write_bytes(content[:-1])
    with pytest.raises(CatalogueError, match="brook.csv has .* bytes, expected"):
        open_entry("daily", catalogue=path)
    path.write_text(path.read_text().replace("{brook.csv:", "{../brook.csv:"))
    with pytest.raises(CatalogueError, match=r"expected a path within this folder, with / and without \.\."):
        load_catalogue(path)


def test_a_check_tells_what_the_data_do_not_keep(write, folder):
    def found(old, new):
        path = write(folder, lambda text: text.replace(old, new))
        return check_entry(load_catalogue(path)["daily"])

    assert found("x", "x").status == "ok"
    for old, new, words in [
        ("discharge: m3 s-1}", "discharge: mm day-1}", "'mm day-1', but the dataset has 'm3 s-1'"),
        ("discharge: m3 s-1}", "runoff: m3 s-1}", "no such variable; it has precipitation, discharge"),
        ('"2000-01-11"', '"2000-01-05"', "but the dataset has times from 2000-01-01T00:00 to 2000-01-10"),
        ("default: 1D", "default: 2D", "expected one of 1D, 1h, got '2D'"),
    ]:
        one = found(old, new)
        assert one.status == "failed" and words in one.message


def test_a_check_prints_the_sums_that_a_catalogue_lacks(write, folder):
    content = (folder / "brook.csv").read_bytes()
    sum_of = hashlib.sha256(content).hexdigest()
    path = write(folder, lambda text: text.replace(f", sha256: {sum_of}, size: {len(content)}", ""))
    one = check_entry(load_catalogue(path)["daily"])
    assert one.status == "ok"
    assert one.notes == (f"files.path has no sum; add sha256: {sum_of} and size: {len(content)}",)


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("places", "[1]", "valid dictionary"),
        ("separator", "5", "valid string"),
        ("skip", "many", "valid integer"),
    ],
)
def test_an_argument_of_another_type_is_told_with_its_line(write, folder, argument, value, why):
    def changed(text):
        without = re.sub(rf"      {argument}: .*\n", "", text)
        return without.replace("    arguments:\n", f"    arguments:\n      {argument}: {value}\n")

    one = check_entry(load_catalogue(write(folder, changed))["daily"])
    where = rf"brook.yaml:\d+: entries.daily.arguments.{argument}"
    assert one.status == "failed"
    assert re.search(rf"{where}: the argument {argument} of csv is .*{why}", one.message)


def test_a_reader_that_fails_in_its_own_way_is_named_with_what_it_was_given(write, folder, monkeypatch):
    def broken(path, **given):
        raise ZeroDivisionError("of its own")

    monkeypatch.setattr("crest_data.catalogue.opening.checked_reader", lambda entry: broken)
    with pytest.raises(CatalogueError, match="the reader csv failed with ZeroDivisionError: of its own; look at its"):
        open_entry("daily", catalogue=write(folder))


def test_a_package_that_is_absent_is_told_with_its_command(write, folder):
    package = "package: {name: no_such_package, install: pip install no-such-package}\n    licence:"
    path = write(folder, lambda text: text.replace("licence:", package))
    entry = load_catalogue(path)["daily"]
    assert check_entry(entry).status == "absent"
    with pytest.raises(CatalogueError, match="not installed; install it with: pip install no-such-package"):
        open_entry("daily", catalogue=path)


def test_a_package_path_stays_in_the_package(write, folder):
    text = "package: {name: spotpy, install: pip install spotpy}\n    licence:"
    path = write(folder, lambda held: held.replace("licence:", text).replace("brook.csv", "../numpy/__init__.py"))
    with pytest.raises(CatalogueError, match="leads out of the package spotpy"):
        open_entry("daily", catalogue=path)


def test_a_relative_path_stays_in_its_folder_and_another_folder_is_said(write, folder, tmp_path):
    (tmp_path / "catalogues").mkdir()
    path = write(folder).rename(tmp_path / "catalogues" / "brook.yaml")
    text = path.read_text()
    path.write_text(text.replace("path: brook.csv", "path: ../data/brook.csv"))
    with pytest.raises(CatalogueError, match="../data/brook.csv leads out of .*; give the full path, or folder: of"):
        open_entry("daily", catalogue=path)
    for old, new in (("entries:", f"folder: {folder}\nentries:"), ("path: brook.csv", f"path: {folder / 'brook.csv'}")):
        path.write_text(text.replace(old, new, 1))
        assert open_entry("daily", catalogue=path).sizes["time"] == 10
