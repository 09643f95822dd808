"""The page of standard names shows the field dictionary: every entry once, nothing of its own."""

import doctest
import re

import packages
import pytest

from crest_core import default_dictionary


@pytest.fixture
def page(monkeypatch):
    """The script that writes the page."""
    monkeypatch.syspath_prepend(packages.ROOT / "docs")
    import standard_names

    return standard_names


def test_the_page_shows_what_the_dictionary_holds(page):
    shown = page.current(page.PAGE.read_text(encoding="utf-8"))
    assert shown == page.tables(), "python docs/standard_names.py brings it up to date"


def test_every_name_has_one_row(page):
    rows = re.findall(r"^\| `(\w+)`", page.tables(), flags=re.MULTILINE)
    assert rows == list(default_dictionary())


def test_a_row_is_as_its_example_says(page):
    assert doctest.testmod(page).failed == 0
