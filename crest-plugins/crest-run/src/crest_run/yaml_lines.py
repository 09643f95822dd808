"""YAML as plain values with the line of every key, for messages that name file, line and key.

Nothing is executed. Words and numbers follow YAML 1.2, so that 1e-5 is a number, NO and 12:30 are
text. Dates stay text, since 30 February exists in some calendars; so does 0123, a station's name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from crest_run.errors import RunFileError

Place = tuple[str | int, ...]


def read_yaml(path: Path) -> tuple[Any, dict[Place, int]]:
    """Return the plain values of a YAML file and the line of each key."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if node is None:
            raise RunFileError(f"{path}: the file is empty; expected the keys graph and forcing")
        document = _Document(str(path), loader)
        return document.plain(node, ()), document.lines
    except OSError as error:
        raise RunFileError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RunFileError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RunFileError(f"{path}: not a YAML text file: {error}") from error


def where(file: str, lines: dict[Place, int], place: Place) -> str:
    """Return "file:line: key" for messages."""
    line = f":{line_of(lines, place)}" if lines else ""
    return f"{file}{line}: {'.'.join(map(str, place)) or 'run'}"


def line_of(lines: dict[Place, int], place: Place) -> int:
    """Return the line of a key, or of the nearest key around it that is there."""
    return next(lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines)


class _Loader(yaml.SafeLoader):
    """The safe loader with the words and numbers of YAML 1.2; dates stay text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


_TAG = "tag:yaml.org,2002:"
_TYPES = ("map", "seq", "str", "null", "bool", "int", "float")
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(f"({_pattern})$"), _first)


class _Document:
    """Turns YAML nodes into plain values; keeps the line of each."""

    def __init__(self, file: str, loader: _Loader) -> None:
        self.file, self.loader = file, loader
        self.lines: dict[Place, int] = {(): 1}
        self.seen: set[int] = set()

    def plain(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self.seen:
            raise self.error(place, "YAML aliases (*name) are not read; write the values out")
        self.seen.add(id(node))
        if node.tag.removeprefix(_TAG) not in _TYPES:
            raise self.error(place, f"the tag {node.tag!r} is not read; write a plain value")
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*place, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        try:
            return self.loader.construct_object(node)
        except ValueError as error:
            raise self.error(place, f"not a value: {error}") from error

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(place, f"expected a word as the key in line {line}")
            if key in values:
                raise RunFileError(
                    f"{self.file}:{line}: {'.'.join(map(str, (*place, key)))}: the key appears "
                    f"twice, first in line {self.lines[*place, key]}; keep one"
                )
            self.lines[*place, key] = line
            values[key] = self.plain(value_node, (*place, key))
        return values

    def error(self, place: Place, text: str) -> RunFileError:
        return RunFileError(f"{where(self.file, self.lines, place)}: {text}")
