"""Kinds of values that a catalogue holds; what would be executed elsewhere is refused here."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from crest_core import TimeError, conversion, parse_time

# Jinja, and the words of Intake 2 that load code, environment variables and pickles.
_TEMPLATE = re.compile(r"\{\{|\{%|\{\w+\(")
_READER = re.compile(r"[a-z][a-z0-9-]{0,63}")


def refuse_templates(value: Any) -> Any:
    """Return the value if no text in it is a template.

    >>> refuse_templates({"format": "%d.%m.%Y"})
    {'format': '%d.%m.%Y'}
    """
    if not (value is None or isinstance(value, str | bool | int | float | list | dict)):
        raise ValueError(f"expected plain values, got a {type(value).__name__}")
    if isinstance(value, str) and _TEMPLATE.search(value):
        raise ValueError(f"templates are not read, got {value!r}; write the value out, or declare it under parameters")
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        refuse_templates(part)
    return value


def _reader(name: str) -> str:
    if not _READER.fullmatch(name):
        raise ValueError(
            f"expected the registered name of a data source, never an import path, got {name!r}; "
            f"see `crest list --kind data_sources`"
        )
    return name


def inside(path: str) -> str:
    """Return a path that stays within its folder.

    >>> inside("daily/rain.nc")
    'daily/rain.nc'
    """
    if "://" in path or "::" in path or path.startswith(("/", "~")) or "\\" in path or ".." in path.split("/"):
        raise ValueError(f"expected a path within this folder, with / and without .., got {path!r}")
    return path


def _date(text: str) -> str:
    try:
        parse_time(text, "standard")
    except TimeError as error:
        raise ValueError(str(error)) from error
    return text


def _units(text: str) -> str:
    conversion(text, text)  # refuses what is no unit
    return text


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Argument = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
_LINE = r"^[^\n\t]*\S[^\n\t]*$"
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=_LINE), AfterValidator(refuse_templates)]
Text = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(refuse_templates)]
Place = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(refuse_templates)]
Inside = Annotated[Place, AfterValidator(inside)]
Reader = Annotated[str, AfterValidator(_reader)]
Date = Annotated[str, AfterValidator(_date)]
Units = Annotated[str, Field(max_length=64), AfterValidator(_units)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=2**50)]
Plain = Annotated[Any, AfterValidator(refuse_templates)]
