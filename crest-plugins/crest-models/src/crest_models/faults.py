"""Faults of `model.yaml` as place and text: what pydantic found, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from crest_core.plugins import near
from crest_models.yaml_lines import Place

Fault = tuple[Place, str]
_SHOWN = 200  # characters of a wrong value


def faults_of(error: ValidationError, root: type[BaseModel], place: Place = ()) -> Iterator[Fault]:
    """Yield the faults of a section that stands at `place`."""
    schema = root.model_json_schema()
    for detail in error.errors():
        yield (*place, *detail["loc"]), _text(detail, schema)


def _text(detail: ErrorDetails, schema: dict[str, Any]) -> str:
    kind, place = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        known = _keys(schema, place[:-1])
        return f"unknown key; allowed: {', '.join(known) or 'none'}{near(str(place[-1]), known)}"
    if kind == "missing":
        return "missing key"
    got = repr(detail["input"])
    got = got if len(got) <= _SHOWN else f"{got[:_SHOWN]}..."
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"expected the keys {', '.join(_keys(schema, place)) or 'name: value'}, got {got}"
    text = detail["msg"].replace("Input should be", "expected")
    return text.removeprefix("Value error, ") if kind == "value_error" else f"{text}, got {got}"


def _keys(schema: dict[str, Any], place: Place) -> list[str]:
    """Return the known keys at a place, as the JSON Schema has them."""
    node = schema
    for part in place:
        node = node.get("properties", {}).get(part) or node.get("items") or node.get("additionalProperties") or {}
        node = node.get("anyOf", [node])[0]
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return list(node.get("properties", {}))
