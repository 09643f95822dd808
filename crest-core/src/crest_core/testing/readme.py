"""Readme: the tables of fields in a distribution's README, read for comparison with what is declared."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

KINDS = ("input", "output", "state", "parameter")


@dataclass(frozen=True, slots=True)
class Row:
    """One field in a table: its kind, name and units."""

    kind: str
    name: str
    units: str


def text_of(distribution: str, module_file: str | None) -> str:
    """Return the README of the distribution's project that a module lies in, else its long description.

    An environment often lies in another project, whose README says nothing of what is installed there.
    """
    for folder in Path(module_file).parents if module_file else ():
        if (folder / "README.md").is_file() and _project(folder / "pyproject.toml") == _normal(distribution):
            return (folder / "README.md").read_text(encoding="utf-8")
    with suppress(PackageNotFoundError):
        return str(metadata(distribution).json.get("description", ""))
    return ""


def _project(pyproject: Path) -> str:
    """Return the normalised name of a project, "" where there is none."""
    try:
        found = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return ""
    return _normal(str(found.get("name", "")))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def rows_of(text: str) -> list[Row]:
    """Return the fields of all tables; a kind stands in the first column, or heads it.

    A row may name several fields, "runoff, drainage", with one or as many units; what stands in parentheses after a
    name or a kind is left out.

    >>> rows_of("| | name | standard name | units |\\n|---|---|---|---|\\n| output | runoff | runoff_flux | mm day-1 |")
    [Row(kind='output', name='runoff', units='mm day-1')]
    """
    rows: list[Row] = []
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")] if "|" in line else []
        if not line.lstrip().startswith("|"):
            head = []
        elif not head:
            head = [cell.lower() for cell in cells]
        elif set(line) - set("|-: "):
            rows += _row(head, cells)
    return rows


def _row(head: list[str], cells: list[str]) -> list[Row]:
    kind = _kind(cells[0])
    column = head.index("name") if "name" in head else 1
    if not kind:
        kind, column = _kind(head[0]), 0
    units = head.index("units") if "units" in head else len(cells)
    if not kind or column >= len(cells) or units >= len(cells):
        return []
    names = [name.strip(" `") for name in re.sub(r"\([^)]*\)", "", cells[column]).split(",")]
    given = [unit.strip(" `") for unit in cells[units].split(",")]
    given = given if len(given) == len(names) else [cells[units].strip(" `")] * len(names)
    return [Row(kind, name, unit) for name, unit in zip(names, given, strict=True) if name]


def _kind(cell: str) -> str:
    words = re.findall(r"[a-z]+", cell.lower())
    return next((kind for kind in KINDS if words and words[0] in (kind, f"{kind}s")), "")
