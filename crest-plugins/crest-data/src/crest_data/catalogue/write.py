"""Write a catalogue, and add one to those of the user; what is written reads back the same."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml

from crest_core import registry
from crest_data.catalogue.check import check_entry
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.fetch import Connect, connect
from crest_data.catalogue.load import Catalogue, load_catalogue
from crest_data.catalogue.schema import CatalogueSection
from crest_data.catalogue.shelf import user_folder

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _./()+-]*[A-Za-z0-9)]")


def as_yaml(section: CatalogueSection) -> str:
    """Return the text of a catalogue file."""
    data = section.model_dump(exclude_defaults=True)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def write_catalogue(section: CatalogueSection, path: Path) -> Catalogue:
    """Write a catalogue in one step and return it as it reads back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            file.write(as_yaml(section))
            file.flush()
            os.fsync(file.fileno())
            if as_yaml(load_catalogue(file.name).section) != as_yaml(section):
                raise CatalogueError(f"{path}: the catalogue would not read back as it is; it is not written")
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return load_catalogue(path)


def add_catalogue(
    source: str | Path, *, hosts: Collection[str] = (), force: bool = False, connect: Connect = connect
) -> Catalogue:
    """Copy a catalogue to those of the user, after all checks of all its entries; files stay where they are.

    Entries whose package is not installed are not opened.
    """
    catalogue = load_catalogue(source, hosts=hosts, connect=connect)
    target = user_folder() / f"{catalogue.name}.yaml"
    for one in registry().of_kind("catalogues"):
        if load_catalogue(registry().load(one.kind, one.name)).name == catalogue.name:
            raise CatalogueError(
                f"{catalogue.where('name')}: {one.distribution} has a catalogue of this name; rename it"
            )
    if target.exists() and not force:
        raise CatalogueError(f"a catalogue {catalogue.name!r} was added before; give --force to replace it")
    found = [check_entry(entry, connect=connect) for entry in catalogue]
    if failed := [f"{one.name}: {one.message}" for one in found if one.status == "failed"]:
        raise CatalogueError("\n".join(["the catalogue is not added:", *failed]))
    return write_catalogue(_at_home(catalogue), target)


def _at_home(catalogue: Catalogue) -> CatalogueSection:
    """Return a catalogue whose relative paths still mean what they meant where it was."""
    section = catalogue.section
    if not catalogue.is_remote:
        here = Path(catalogue.origin).resolve().parent
        folder = here / Path(section.folder or "").expanduser()
        relative = any(file.path and not one.package for one in section.entries.values() for file in one.files.values())
        return section.model_copy(update={"folder": str(folder)}) if relative else section
    entries = {}
    for entry in catalogue:
        files = {
            key: file.model_copy(update={"path": None, "url": entry.url_of(file)})
            for key, file in entry.section.files.items()
        }
        entries[entry.name] = entry.section.model_copy(update={"files": files})
    return section.model_copy(update={"entries": entries, "hosts": sorted(catalogue.hosts)})


class _Dumper(yaml.SafeDumper):
    """Quotes every text that might be read as something else, since YAML 1.1 and 1.2 differ on what a number is."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    words = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan")
    plain = _PLAIN.fullmatch(text) and not words
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)
