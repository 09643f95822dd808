"""Faults of a catalogue as line and text: what pydantic found, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crest_core.plugins import near
from crest_data.catalogue.schema import CatalogueSection

Place = tuple[str | int, ...]
_SHOWN = 200  # characters of a wrong value
_OWN = ("value_error", "file", "entry")


def faults_of(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Yield place and text of each fault."""
    schema = CatalogueSection.model_json_schema()
    seen = set()
    for detail in error.errors():
        place = _place(detail["loc"], schema)
        if place not in seen:  # a value that may be of several types gives a fault for each
            seen.add(place)
            yield place, _text(detail, place, schema)


def _place(loc: Place, schema: dict[str, Any]) -> Place:
    """Return keys only: pydantic adds the types that it tried, and "[key]" for a key that is wrong itself."""
    node: dict[str, Any] = schema
    place: list[str | int] = []
    for part in loc:
        if part == "[key]":
            continue
        inner = _inner(node, part, schema)
        if inner is None and not isinstance(part, int) and place and "properties" not in node:
            break
        place.append(part)
        node = inner or {}
    return tuple(place)


def _text(detail: ErrorDetails, place: Place, schema: dict[str, Any]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _keys(schema, place[:-1])
        return f"unknown key; allowed: {', '.join(known) or 'none'}{near(str(place[-1]), known)}"
    if kind == "missing":
        return "missing key"
    got = repr(detail["input"])
    got = got if len(got) <= _SHOWN else f"{got[:_SHOWN]}..."
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"expected the keys {', '.join(_keys(schema, place)) or 'name: value'}, got {got}"
    text = detail["msg"].replace("Input should be", "expected").removeprefix("Value error, ")
    if kind == "literal_error":
        choices = re.findall(r"'(\w+)'", detail["ctx"]["expected"])
        return f"{text}, got {got}{near(str(detail['input']), choices)}"
    return text if kind in _OWN else f"{text}, got {got}"


def _keys(schema: dict[str, Any], place: Place) -> list[str]:
    """Return the known keys at a place, as the JSON Schema has them."""
    node: dict[str, Any] | None = schema
    for part in place:
        node = _inner(node or {}, part, schema)
    return list((node or {}).get("properties", {}))


def _inner(node: dict[str, Any], part: str | int, schema: dict[str, Any]) -> dict[str, Any] | None:
    found = node.get("properties", {}).get(part) if isinstance(part, str) else node.get("items")
    if found is None and isinstance(part, str) and "properties" not in node:
        found = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
    if not isinstance(found, dict):
        return None
    found = found.get("anyOf", [found])[0]
    return schema["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
