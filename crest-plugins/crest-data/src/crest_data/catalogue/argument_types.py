"""Types of the values that a catalogue gives to a reader, by the annotations of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.load import Entry

_DESCRIBED = ("variables", "extra")  # descriptions of variables, checked where they are made
_LAX = ConfigDict(arbitrary_types_allowed=True)


def check_types(entry: Entry, reader: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raise CatalogueError, with file and line, where a value is not of the type of its argument.

    A list may stand for a tuple and a whole number for a float. Arguments without annotation are not looked at.
    """
    hints = get_type_hints(reader)
    for key, value in arguments.items():
        if key not in hints or key in _DESCRIBED:
            continue
        try:
            TypeAdapter(hints[key], config=_LAX).validate_python(value)
        except ValidationError as error:
            detail = error.errors()[0]
            place = "arguments" if key in entry.section.arguments else "parameters"
            where = entry.where(place, key) if key in entry.section.arguments else entry.where(place)
            raise CatalogueError(
                f"{where}: the argument {key} of {entry.section.reader} is {value!r}: {detail['msg']}"
            ) from error
