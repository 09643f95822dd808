"""Parameters of an entry: a typed value goes into the argument that the catalogue names, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crest_core import TimeError, parse_time
from crest_core.plugins import near
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.load import Entry
from crest_data.catalogue.schema import ParameterSection

_WORDS = {"true": True, "false": False}


def arguments_of(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the reader, files aside; text of a command line becomes what the parameter is."""
    declared = entry.section.parameters
    if unknown := [name for name in given if name not in declared]:
        known = ", ".join(declared) or "none"
        raise CatalogueError(
            f"{entry.full_name}: no parameter {unknown[0]!r}{near(unknown[0], declared)}; it has {known}"
        )
    arguments: dict[str, Any] = dict(entry.section.arguments)
    for name, section in declared.items():
        value = value_of(section, given.get(name, section.default), f"{entry.full_name}, parameter {name}")
        arguments[section.argument or name] = value
    return arguments


def value_of(section: ParameterSection, value: Any, who: str) -> Any:
    """Return a value of the declared type, choice and range; CatalogueError says what is expected."""
    if not section.many:
        return _one(section, value, who)
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise CatalogueError(f"{who}: expected a list, got {value!r}")
    return [_one(section, part, who) for part in parts]


def check_defaults(entry: Entry) -> None:
    """Raise where the default of a parameter is none of its own values."""
    for name, section in entry.section.parameters.items():
        value_of(section, section.default, f"{entry.where('parameters', name, 'default')}")


def _one(section: ParameterSection, value: Any, who: str) -> Any:
    found = _typed(section.type, value, who)
    if section.choices and found not in section.choices:
        hint = near(str(found), map(str, section.choices))
        raise CatalogueError(f"{who}: expected one of {', '.join(map(str, section.choices))}, got {found!r}{hint}")
    low, high = section.minimum, section.maximum
    if (low is not None and not found >= low) or (high is not None and not found <= high):
        ends = f"from {'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        raise CatalogueError(f"{who}: expected a number {ends}, got {found!r}")
    return found


def _typed(kind: str, value: Any, who: str) -> Any:
    try:
        if kind == "text" and isinstance(value, str):
            return value
        if kind == "boolean" and (isinstance(value, bool) or value in _WORDS):
            return value if isinstance(value, bool) else _WORDS[value]
        if kind == "integer" and isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
        if kind == "number" and isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
        if kind == "date" and isinstance(value, str):
            parse_time(value, "standard")
            return value
    except (TypeError, ValueError, TimeError):
        pass
    raise CatalogueError(f"{who}: expected {kind}, got {value!r}")
