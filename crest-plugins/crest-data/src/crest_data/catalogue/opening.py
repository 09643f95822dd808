"""Open an entry: its files checked, its parameters in their arguments, its reader called, its origin told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import xarray as xr

from crest_core import CrestError, PluginError, registry
from crest_core.plugins import near
from crest_data.catalogue.argument_types import check_types
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.fetch import Connect, connect
from crest_data.catalogue.files import files_of
from crest_data.catalogue.load import Entry
from crest_data.catalogue.parameters import arguments_of
from crest_data.errors import DataError
from crest_data.variable import Variable

Reader = Callable[..., xr.Dataset]


def open_dataset(entry: Entry, given: Mapping[str, Any] | None = None, *, connect: Connect = connect) -> xr.Dataset:
    """Return the dataset of an entry; `given` are values of its parameters."""
    reader = checked_reader(entry)
    values = arguments_of(entry, given or {})
    check_types(entry, reader, values)
    arguments = {key: _with_variables(entry, key, value) for key, value in values.items()}
    files = files_of(entry, connect=connect)
    try:
        dataset = reader(**files, **arguments)
    except CrestError:
        raise
    except Exception as error:  # a reader is a plugin
        passed = ", ".join(f"{key}: {value!r}" for key, value in arguments.items()) or "none"
        raise CatalogueError(
            f"{entry.where('reader')}: the reader {entry.section.reader} failed with {type(error).__name__}: {error}; "
            f"look at its arguments ({passed}) and files"
        ) from error
    if not isinstance(dataset, xr.Dataset):
        kind = type(dataset).__name__
        raise CatalogueError(f"{entry.where('reader')}: {entry.section.reader!r} gives a {kind}, expected a Dataset")
    section = entry.section
    own = {"licence": section.licence, "citation": section.citation, "remarks": section.remarks}
    told = {key: text.strip() for key, text in own.items() if text and not dataset.attrs.get(key)}
    origin = {"catalogue_entry": entry.full_name, "catalogue_sha256": entry.catalogue.sha256}
    return dataset.assign_attrs(told | origin)


def _with_variables(entry: Entry, key: str, value: Any) -> Any:
    """Return descriptions of variables as the Variables that generic readers take; other values as they are."""
    if key not in ("variables", "extra") or not isinstance(value, dict):
        return value
    place = ("arguments", key) if key in entry.section.arguments else ("parameters",)
    return {name: _variable(entry.where(*place, name), about) for name, about in value.items()}


def _variable(where: str, about: Any) -> Variable:
    """Return one Variable, whose lists become tuples; CatalogueError, with file and line, for what is none."""
    known = [one.name for one in fields(Variable)]
    if not isinstance(about, dict) or not {"name", "units"} <= set(about) or not set(about) <= set(known):
        odd = next((key for key in about if key not in known), "") if isinstance(about, dict) else ""
        raise CatalogueError(f"{where}: expected name, units and, where needed, others of {known}{near(odd, known)}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in about.items()}
    try:
        return Variable(**values)
    except DataError as error:
        raise CatalogueError(f"{where}: {error}") from error


def checked_reader(entry: Entry) -> Reader:
    """Return the reader of an entry, if it takes the arguments that the catalogue gives it.

    Only data sources that installed packages register are called. An argument that is a path is given under files,
    where it is checked; under arguments or parameters it is refused.
    """
    section = entry.section
    try:
        reader: Reader = registry().load("data_sources", section.reader)
    except PluginError as error:
        raise CatalogueError(f"{entry.where('reader')}: {error}") from error
    signature = inspect.signature(reader)
    words = {key: "arguments" for key in section.arguments}
    words |= {one.argument or key: "parameters" for key, one in section.parameters.items()}
    known = list(signature.parameters)
    for key in (*section.files, *words):
        place = "files" if key in section.files else words[key]
        if key not in known:
            raise CatalogueError(
                f"{entry.where(place, key)}: the reader {section.reader} has no argument {key!r}{near(key, known)}; "
                f"arguments: {', '.join(known) or 'none'}"
            )
        if key in words and "Path" in str(signature.parameters[key].annotation):
            raise CatalogueError(
                f"{entry.where(place, key)}: the argument {key!r} of {section.reader} is a path; give it under files, "
                f"where it is checked"
            )
    needed = [one.name for one in signature.parameters.values() if one.default is one.empty and one.kind < 4]
    absent = [name for name in needed if name not in section.files and name not in words and name != "kwargs"]
    if absent:
        raise CatalogueError(f"{entry.where()}: the reader {section.reader} needs {', '.join(absent)}")
    return reader
