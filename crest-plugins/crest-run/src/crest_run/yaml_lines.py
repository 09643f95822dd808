"""A run file as plain values with the line of every key; faults are RunFileErrors that name file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crest_core import line_of_key, read_plain_yaml
from crest_run.errors import RunFileError

Place = tuple[str | int, ...]
line_of = line_of_key


def read_yaml(path: Path) -> tuple[Any, dict[Place, int]]:
    """Return the plain values of a YAML file and the line of each key."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"{path}: cannot be read: {error.strerror}") from error
    return read_plain_yaml(
        str(path),
        content,
        error=RunFileError,
        where=lambda lines, place: where(str(path), lines, place),
        expected="the keys graph and forcing",
    )


def where(file: str, lines: dict[Place, int], place: Place) -> str:
    """Return "file:line: key" for messages."""
    line = f":{line_of(lines, place)}" if lines else ""
    return f"{file}{line}: {'.'.join(map(str, place)) or 'run'}"
