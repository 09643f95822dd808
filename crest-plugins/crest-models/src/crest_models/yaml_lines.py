"""`model.yaml` as plain values with the line of every key, for messages that name file, line and key.

Nothing is executed: no tags, no aliases, no key twice. Words and numbers follow YAML 1.2, so that 1e-5 is a number and
NO is text; dates stay text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import yaml

from crest_models.errors import ModelError

Place = tuple[str | int, ...]


def read_yaml(file: str, content: bytes) -> tuple[Any, dict[Place, int]]:
    """Return the plain values of a YAML text and the line of each key."""
    try:
        loader = _Loader(content.decode("utf-8"))
        node = loader.get_single_node()
        if node is None:
            raise ModelError(f"{file}: the file is empty; expected the keys of a model, from crest_model: 1 on")
        document = _Document(file, loader)
        return document.plain(node, ()), document.lines
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ModelError(f"{file}{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: not a YAML text file: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ModelError(f"{file}: not a model: its values are nested too deep") from error


def where(file: str, lines: dict[Place, int], place: Place) -> str:
    """Return "file:line: key" for messages."""
    return f"{file}:{line_of(lines, place)}: {'.'.join(map(str, place)) or 'model'}"


def line_of(lines: dict[Place, int], place: Place) -> int:
    """Return the line of a key, or of the nearest key around it that is there."""
    return next((lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in lines), 1)


class _Loader(yaml.SafeLoader):
    """The safe loader with the words and numbers of YAML 1.2; dates stay text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


_TAG = "tag:yaml.org,2002:"
_TYPES = tuple(_TAG + name for name in ("map", "seq", "str", "null", "bool", "int", "float"))
_FLOAT = r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"({_pattern})$"), _first)


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
        if node.tag not in _TYPES:
            raise self.error(place, f"the tag {node.tag!r} is not read; write a plain value")
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*place, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        self.check_text(str(node.value), place)
        try:
            return self.loader.construct_object(node)
        except ValueError as error:
            raise self.error(place, f"not a value: {error}") from error

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in _TYPES:
                raise self.error(place, f"expected a word as the key in line {line}")
            self.check_text(key, place)
            if key in values:
                first = self.lines[*place, key]
                self.lines[*place, key] = line
                raise self.error((*place, key), f"the key appears twice, first in line {first}; keep one")
            self.lines[*place, key] = line
            values[key] = self.plain(value_node, (*place, key))
        return values

    def check_text(self, text: str, place: Place) -> None:
        """Refuse what a terminal would obey or hide: control and formatting characters, "\\e" in quotes among them."""
        odd = [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t"]
        if odd:
            raise self.error(place, f"the text holds the control character U+{ord(odd[0]):04X}; take it out")

    def error(self, place: Place, text: str) -> ModelError:
        return ModelError(f"{where(self.file, self.lines, place)}: {text}")
