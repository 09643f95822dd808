"""The examples in the docstrings of every package run and print what they say."""

import doctest
import importlib

import imports
import packages
import pytest

PACKAGES = packages.find_packages()
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples():
    """Yield the dotted names of the modules whose text holds an example."""
    for package in PACKAGES:
        for file in imports.python_files(package):
            if ">>> " in file.read_text(encoding="utf-8"):
                parts = file.relative_to(package.folder / "src").with_suffix("").parts
                yield ".".join(parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.failed == 0


@pytest.mark.parametrize("name", ["packages", "stages"])
def test_examples_in_the_tools_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.attempted > 0 and result.failed == 0
