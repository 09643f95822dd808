"""Fields and settings as YAML has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from crest_core import FieldSpec


def field_keys(spec: FieldSpec) -> dict[str, Any]:
    """Return the keys of a field that differ from the defaults."""
    values = {item.name: (getattr(spec, item.name), item.default) for item in fields(spec)}
    return {name: plain(value) for name, (value, default) in values.items() if default is MISSING or value != default}


def plain(value: Any) -> Any:
    """Return mappings and sequences as YAML has them; other values stay, and the writer refuses what is not plain."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
