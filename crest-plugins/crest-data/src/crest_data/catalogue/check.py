"""Check an entry: what it names is there, is what the catalogue says, opens, and keeps to the convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from crest_core import CrestError, UnitError, conversion
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.fetch import Connect, connect
from crest_data.catalogue.files import is_checked, locate, missing_package
from crest_data.catalogue.load import Entry
from crest_data.catalogue.opening import open_dataset
from crest_data.catalogue.parameters import check_defaults
from crest_data.catalogue.sums import sums
from crest_data.deviations import check_convention


@dataclass(frozen=True)
class Finding:
    """What a check of an entry found."""

    name: str
    status: str
    """ok, failed, or absent: a package is not installed."""
    message: str = ""
    notes: tuple[str, ...] = ()
    """What is not wrong but could be better."""


def check_entry(entry: Entry, *, connect: Connect = connect) -> Finding:
    """Return what is wrong with an entry, if anything; sums are looked at before anything is opened."""
    try:
        check_defaults(entry)
        if install := missing_package(entry):
            return Finding(entry.full_name, "absent", f"not installed: {install}")
        dataset = open_dataset(entry, connect=connect)
        check_convention(dataset)
        _check_told(entry, dataset)
        return Finding(entry.full_name, "ok", notes=tuple(_notes(entry)))
    except (CrestError, OSError) as error:
        return Finding(entry.full_name, "failed", str(error))
    except Exception as error:  # a reader may be of any package
        return Finding(entry.full_name, "failed", f"the reader {entry.section.reader} failed: {error!r}")


def _check_told(entry: Entry, dataset: xr.Dataset) -> None:
    """Raise where variables, units or the period are not those that the entry tells."""
    for name, units in entry.section.variables.items():
        where = entry.where("variables", name)
        if name not in dataset:
            raise CatalogueError(f"{where}: the dataset has no such variable; it has {', '.join(map(str, dataset))}")
        held = str(dataset[name].attrs["units"])
        try:
            same = conversion(held, units).is_identity
        except UnitError:
            same = False
        if not same:
            raise CatalogueError(f"{where}: {units!r}, but the dataset has {held!r}; write what it has")
    if entry.section.period and "time" in dataset.dims and dataset["time"].dtype.kind == "M":
        start, end = (np.datetime64(text) for text in entry.section.period)
        first, last = dataset["time"].values[[0, -1]]
        if first < start or last >= end:
            raise CatalogueError(
                f"{entry.where('period')}: {entry.section.period}, but the dataset has times from "
                f"{np.datetime_as_string(first, 'm')} to {np.datetime_as_string(last, 'm')}"
            )


def _notes(entry: Entry) -> list[str]:
    notes = []
    for argument, file in entry.section.files.items():
        path = locate(entry, file)
        if not is_checked(file) and path.is_file():
            size, sha256 = sums(path)
            notes.append(f"files.{argument} has no sum; add sha256: {sha256} and size: {size}")
        elif not is_checked(file):
            notes.append(f"files.{argument} is a folder whose files have no sums; list them under parts")
    return notes
