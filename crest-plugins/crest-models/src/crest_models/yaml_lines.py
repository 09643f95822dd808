"""`model.yaml` as plain values with the line of every key; faults are ModelErrors that name file, line and key."""

from __future__ import annotations

from typing import Any

from crest_core import line_of_key, read_plain_yaml
from crest_models.errors import ModelError

Place = tuple[str | int, ...]
line_of = line_of_key


def read_yaml(file: str, content: bytes) -> tuple[Any, dict[Place, int]]:
    """Return the plain values of a YAML text and the line of each key."""
    return read_plain_yaml(
        file,
        content,
        error=ModelError,
        where=lambda lines, place: where(file, lines, place),
        expected="the keys of a model, from crest_model: 1 on",
    )


def where(file: str, lines: dict[Place, int], place: Place) -> str:
    """Return "file:line: key" for messages."""
    return f"{file}:{line_of(lines, place)}: {'.'.join(map(str, place)) or 'model'}"
