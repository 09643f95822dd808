"""The packages that `crest new` renders, one for each template, for tools/wheel_check.py.

They are checked as a contributor's package would be: built, installed beside what they declare, tested, found by
`crest list`, held against the rules by `crest check`; nothing in them is edited.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from packages import Package, read_package

Run = Callable[[list[str]], str]
"""Runs `python -m` with these words and returns what it prints."""


def render_packages(templates: Sequence[str], folder: Path, run: Run) -> list[Package]:
    """Return a package my-<template> for each template, rendered below the folder by the command itself."""
    folder.mkdir(parents=True)
    for template in templates:
        name = f"my-{template}"
        run(["crest_core", "new", name, "--template", template, "--output", str(folder), "--yes"])
    return [read_package(folder / f"my-{template}" / "pyproject.toml") for template in templates]


def use_as_a_reader_would(package: Package, run: Run) -> str:
    """Run `crest list` and `crest check` where the package is installed; returns the summary of the latter.

    Its own tests have just looked at all rules, so that here one stage does.
    """
    problem = listing_problem(package.name, run(["crest_core", "list", "--json", "--load", "--kind", "components"]))
    if problem:
        raise ValueError(f"{package.name} {problem}")
    return run(["crest_core", "check", package.name, "--stage", "ports"]).strip().splitlines()[0].strip()


def listing_problem(name: str, listing: str) -> str:
    """Return what is wrong with a package's rows in `crest list --json`, or an empty text.

    >>> listing_problem("my-snow", '[{"name": "soil-bucket", "distribution": "crest-soil", "error": null}]')
    'is not in crest list'
    """
    table = listing[listing.index("[\n") :] if "[\n" in listing else listing  # what imports warn of stands before
    rows = [row for row in json.loads(table) if row["distribution"] == name]
    if name not in [row["name"] for row in rows]:
        return "is not in crest list"
    return "; ".join(row["error"] for row in rows if row["error"])
