"""YAML as plain values with the line of every key, for messages that name file, line and key.

Nothing is executed: no tags, no aliases, no key twice. Words and numbers follow YAML 1.2, so that 1e-5 is a number, NO
and 12:30 are text. Dates stay text, since 30 February exists in some calendars; so does 0123, a station's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from crest_fields.errors import CrestError

Place = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""


def read_plain_yaml(
    file: str,
    content: bytes,
    *,
    error: type[CrestError],
    where: Callable[[dict[Place, int], Place], str],
    expected: str,
) -> tuple[Any, dict[Place, int]]:
    """Return the plain values of a YAML text and the line of each key.

    Faults are raised as `error`. `where` says "file:line: key" of a place, `expected` what an empty file lacks.

    >>> where = lambda lines, place: f"a.yaml:{line_of_key(lines, place)}"
    >>> read_plain_yaml("a.yaml", b"a: 1e-5\\nb: [NO]", error=CrestError, where=where, expected="keys")
    ({'a': 1e-05, 'b': ['NO']}, {(): 1, ('a',): 1, ('b',): 2, ('b', 0): 2})
    """
    try:
        loader = _Loader(content.decode("utf-8"))
        node = loader.get_single_node()
        if node is None:
            raise error(f"{file}: the file is empty; expected {expected}")
        document = _Document(loader, lambda lines, place, text: error(f"{where(lines, place)}: {text}"))
        return document.plain(node, ()), document.lines
    except yaml.MarkedYAMLError as fault:
        line = f":{fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise error(f"{file}{line}: not valid YAML: {fault.problem}") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise error(f"{file}: not a YAML text file: {' '.join(str(fault).split())}") from fault
    except RecursionError as fault:
        raise error(f"{file}: not a YAML text file: its values are nested too deep") from fault


def line_of_key(lines: Mapping[Place, int], place: Place) -> int:
    """Return the line of a key, or of the nearest key around it that is there.

    >>> line_of_key({(): 1, ("a",): 3}, ("a", "b"))
    3
    """
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

    def __init__(self, loader: _Loader, error: Callable[[dict[Place, int], Place, str], CrestError]) -> None:
        self.loader, self._error = loader, error
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

    def error(self, place: Place, text: str) -> CrestError:
        return self._error(self.lines, place, text)
