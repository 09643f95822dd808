"""The catalogues of this machine: those of installed packages, and those that the user added."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import xarray as xr

from crest_core import CrestError, PluginWarning, registry
from crest_core.plugins import near
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.load import Catalogue, Entry, load_catalogue
from crest_data.catalogue.opening import open_dataset


def user_folder() -> Path:
    """Return where catalogues are added: CREST_CATALOGUES, or the user's data folder."""
    given = os.environ.get("CREST_CATALOGUES", "")
    return Path(given) if given else platformdirs.user_data_path("crest") / "catalogues"


def all_catalogues() -> list[Catalogue]:
    """Return all catalogues by name; one that cannot be used warns and is left out."""
    found, faults = read_shelf()
    for fault in faults:
        warnings.warn(fault, PluginWarning, stacklevel=2)
    return found


def read_shelf() -> tuple[list[Catalogue], list[str]]:
    """Return all catalogues by name, and why others are left out."""
    found: dict[str, Catalogue] = {}
    faults = []
    for source in _sources():
        try:
            catalogue = load_catalogue(source())
            if catalogue.name in found:
                other = found[catalogue.name].origin
                raise CatalogueError(f"{catalogue.origin}: {other} has the name {catalogue.name!r} too; rename one")
            found[catalogue.name] = catalogue
        except CrestError as error:
            faults.append(f"a catalogue is left out: {error}")
    return [found[name] for name in sorted(found)], faults


def find_entry(name: str, catalogue: str | Path | None = None) -> Entry:
    """Return the entry called "entry" or "catalogue/entry", among all catalogues or in one file or URL."""
    if catalogue is not None:
        return load_catalogue(catalogue)[name]
    first, slash, last = name.rpartition("/")
    shelves = all_catalogues()
    found = [one[last] for one in shelves if last in one.section.entries and first in ("", one.name)]
    if len(found) > 1:
        names = " and ".join(entry.full_name for entry in found)
        raise CatalogueError(f"{name!r} is an entry of several catalogues: {names}; give one of these names")
    if not found:
        known = [entry.full_name if slash else entry.name for one in shelves for entry in one]
        raise CatalogueError(f"no entry {name!r} in the catalogues{near(name, known)}; see `crest data list`")
    return found[0]


def open_entry(entry: str, *, catalogue: str | Path | None = None, **parameters: Any) -> xr.Dataset:
    """Return the dataset of a catalogue entry: "entry", or "catalogue/entry" where several have the name.

    `catalogue` is a file or https URL; without it, the catalogues of packages and those that were added are searched.
    In a run file: `forcing: {source: catalogue, with: {entry: schwingbach, frequency: 1D}}`.

    >>> open_entry("schwingbach", frequency="1D").sizes["time"]
    1096
    """
    return open_dataset(find_entry(entry, catalogue), parameters)


def _sources() -> Iterator[Any]:
    """Yield functions that return the path of a catalogue, so that the failure of one is told as its own."""
    for one in registry().of_kind("catalogues"):
        yield lambda one=one: registry().load(one.kind, one.name)
    folder = user_folder()
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        yield lambda path=path: path
