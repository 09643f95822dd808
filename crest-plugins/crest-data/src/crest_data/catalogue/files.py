"""Files of an entry: found, fetched where they have a URL, and their sums checked before a reader sees them."""

from __future__ import annotations

from importlib.util import find_spec
from os.path import normpath
from pathlib import Path

from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.fetch import Connect, connect, fetch
from crest_data.catalogue.load import Entry
from crest_data.catalogue.schema import FileSection
from crest_data.catalogue.sums import sums


def files_of(entry: Entry, *, connect: Connect = connect) -> dict[str, Path]:
    """Return the paths that the reader takes, by argument, of files that are what the catalogue says."""
    found: dict[str, Path] = {}
    for argument, file in entry.section.files.items():
        found[argument] = locate(entry, file, connect=connect)
        if not entry.url_of(file):  # what is fetched was checked there
            check_sums(entry, argument, file, found[argument])
    return found


def locate(entry: Entry, file: FileSection, *, connect: Connect = connect) -> Path:
    """Return the path of a file or folder; fetches it where it has a URL."""
    if url := entry.url_of(file):
        return fetch(url, str(file.sha256), int(file.size or 0), entry.catalogue.hosts, connect=connect)
    base = folder_of(entry)
    path = base / Path(str(file.path)).expanduser()
    if entry.section.package and not path.resolve().is_relative_to(base.resolve()):
        raise CatalogueError(f"{entry.full_name}: {file.path} leads out of the package {entry.section.package.name}")
    if not Path(normpath(path)).is_relative_to(normpath(base)) and not _is_full(str(file.path)):
        raise CatalogueError(
            f"{entry.full_name}: {file.path} leads out of {base}; give the full path, or folder: of the catalogue"
        )
    if not path.exists():
        install = f"; it comes with: {entry.section.package.install}" if entry.section.package else ""
        raise CatalogueError(f"{entry.full_name}: {path} is not there{install}")
    return path


def _is_full(path: str) -> bool:
    """Return whether a path tells by itself where it leads, as seen by who reads the catalogue."""
    return Path(path).expanduser().is_absolute()


def folder_of(entry: Entry) -> Path:
    """Return where relative paths begin: an installed package, which is not imported, or the catalogue's folder."""
    if package := entry.section.package:
        spec = find_spec(package.name)
        if spec is None or not spec.submodule_search_locations:
            raise CatalogueError(
                f"{entry.full_name} reads files that the package {package.name} ships, which is not installed; "
                f"install it with: {package.install}"
            )
        return Path(spec.submodule_search_locations[0])
    here = Path(entry.catalogue.origin).resolve().parent
    return here / Path(entry.catalogue.section.folder or "").expanduser()


def missing_package(entry: Entry) -> str:
    """Return the command that installs what an entry reads and that is not installed; "" if nothing is missing."""
    package = entry.section.package
    return package.install if package and find_spec(package.name) is None else ""


def check_sums(entry: Entry, argument: str, file: FileSection, path: Path) -> None:
    """Raise where a file has not the size or sum that the catalogue says, before anything opens it."""
    if file.sha256 is not None:
        _check(entry, argument, path, int(file.size or 0), file.sha256)
    for name, part in file.parts.items():
        _check(entry, argument, path / name, part.size, part.sha256)


def is_checked(file: FileSection) -> bool:
    """Return whether the catalogue says what the file, or every file that it lists of a folder, must be."""
    return file.sha256 is not None or bool(file.parts)


def _check(entry: Entry, argument: str, path: Path, size: int, sha256: str) -> None:
    where = entry.where("files", argument)
    if not path.is_file():
        raise CatalogueError(f"{where}: {path} is no file; expected one of {size} bytes")
    held = path.stat().st_size
    if held != size:
        raise CatalogueError(f"{where}: {path} has {held} bytes, expected {size}; it is damaged or another version")
    found = sums(path)
    if found != (size, sha256):
        raise CatalogueError(
            f"{where}: {path} has the sha256 {found[1]}, expected {sha256}; it is damaged or another version: get it "
            f"again, or change sha256 in the catalogue if the new content is right"
        )
