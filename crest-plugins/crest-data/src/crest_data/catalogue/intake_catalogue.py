"""A catalogue for users of Intake 2: readers of our own that open our entries; nothing of Intake's files is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr
from intake.readers.entry import Catalog, ReaderDescription  # type: ignore[import-untyped]
from intake.readers.readers import BaseReader  # type: ignore[import-untyped]

from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.load import Catalogue, Entry, load_catalogue
from crest_data.catalogue.shelf import open_entry


class EntryReader(BaseReader):
    """Opens one entry of a CREST catalogue; keyword arguments of `read` are its parameters."""

    output_instance = "xarray:Dataset"

    def _read(self, catalogue: str, entry: str, **parameters: Any) -> xr.Dataset:
        return open_entry(entry, catalogue=catalogue, **parameters)


def to_intake(catalogue: Catalogue | str | Path) -> Catalog:
    """Return an Intake 2 catalogue: `to_intake("data.yaml")["rain"].read(frequency="1D")`.

    It can be written with `to_yaml_file` and read by Intake where crest-data is installed: an entry holds the path of
    our catalogue and its own name only, so that every rule of ours holds there too.
    """
    found = catalogue if isinstance(catalogue, Catalogue) else load_catalogue(catalogue)
    origin = found.origin if found.is_remote else str(Path(found.origin).resolve())
    if "{" in origin:
        raise CatalogueError(f"{origin}: Intake would take the braces of this path for a template; rename the folder")
    made = Catalog(metadata={"summary": found.section.summary})
    for entry in found:
        made.add_entry(_description(entry, origin), name=entry.name)
        made.aliases[entry.name] = entry.name  # Intake lists aliases only
    return made


def _description(entry: Entry, origin: str) -> ReaderDescription:
    """Return an entry with `metadata` and `user_parameters`, without which Intake cannot read back what it wrote."""
    section = entry.section
    metadata = {"summary": section.summary, "licence": section.licence, "citation": section.citation}
    return ReaderDescription(
        reader=EntryReader.qname(),
        kwargs={"catalogue": origin, "entry": entry.name},
        user_parameters={},
        metadata=metadata,
        output_instance=EntryReader.output_instance,
    )
