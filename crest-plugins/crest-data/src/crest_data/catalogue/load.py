"""Load a catalogue: read as plain values, validated, and tied to where it came from. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import ValidationError

from crest_core import line_of_key, read_plain_yaml
from crest_core.plugins import near
from crest_data.catalogue.errors import CatalogueError
from crest_data.catalogue.faults import Place, faults_of
from crest_data.catalogue.fetch import Connect, connect, read_small
from crest_data.catalogue.schema import CatalogueSection, EntrySection, FileSection
from crest_data.catalogue.urls import check_url, host_of
from crest_data.catalogue.values import inside

_LARGEST = 1 << 22  # bytes
_HOW_TO = "write its entries in CREST's schema, as the page 'Write a catalogue' shows"


@dataclass(frozen=True)
class Catalogue:
    """A validated catalogue, and where it came from."""

    section: CatalogueSection
    origin: str
    """Its path or URL."""
    sha256: str
    """Of its content."""
    hosts: frozenset[str]
    """Hosts that its URLs may name."""
    lines: dict[Place, int] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The name that entries may be called by: name/entry."""
        return self.section.name

    @property
    def is_remote(self) -> bool:
        """Whether it came by URL, so that it names no path of this machine."""
        return "://" in self.origin

    def __iter__(self) -> Iterator[Entry]:
        for name in self.section.entries:
            yield self[name]

    def __getitem__(self, name: str) -> Entry:
        """Return an entry; CatalogueError names those that are near."""
        if name not in self.section.entries:
            known = self.section.entries
            raise CatalogueError(f"{self.origin}: no entry {name!r}{near(name, known)}; entries: {', '.join(known)}")
        return Entry(self, name, self.section.entries[name])

    def where(self, *place: str | int) -> str:
        """Return "file:line: key" for messages."""
        return _where(self.origin, self.lines, place)


@dataclass(frozen=True)
class Entry:
    """One data set of a catalogue."""

    catalogue: Catalogue = field(repr=False)
    name: str
    section: EntrySection = field(repr=False)

    @property
    def full_name(self) -> str:
        """Its name among all catalogues."""
        return f"{self.catalogue.name}/{self.name}"

    def where(self, *place: str | int) -> str:
        """Return "file:line: key" for messages."""
        return self.catalogue.where("entries", self.name, *place)

    def url_of(self, file: FileSection) -> str:
        """Return the URL of a file, "" if it is on this machine; a path in a catalogue read by URL lies beside it."""
        if file.url or not self.catalogue.is_remote:
            return file.url or ""
        try:
            beside = urljoin(self.catalogue.origin, inside(str(file.path)))
        except ValueError as error:
            raise CatalogueError(str(error)) from error
        if file.sha256 is None:
            raise CatalogueError("a file that is fetched needs sha256 and size")
        return beside


def load_catalogue(source: str | Path, *, hosts: Collection[str] = (), connect: Connect = connect) -> Catalogue:
    """Return the catalogue of a file or an https URL; CatalogueError lists all faults by file, line and key.

    `hosts` are those that a catalogue read by URL may name beside its own host. A file lists them itself.
    """
    origin = str(source)
    remote = "://" in origin or "::" in origin
    content = _fetched(origin, connect) if remote else _read(Path(origin))
    expected = "the keys of a catalogue, from crest_catalogue: 1 on"
    data, lines = read_plain_yaml(
        origin,
        content,
        error=CatalogueError,
        where=lambda lines, place: _where(origin, lines, place),
        expected=expected,
    )
    _refuse_foreign(origin, data)
    try:
        section = CatalogueSection.model_validate(data)
    except ValidationError as error:
        faults = sorted(
            (line_of_key(lines, place), f"{_where(origin, lines, place)}: {text}") for place, text in faults_of(error)
        )
        raise CatalogueError("\n".join(text for _, text in faults)) from error
    allowed = {host_of(urlsplit(origin)), *hosts} if remote else set(section.hosts)
    catalogue = Catalogue(section, origin, sha256(content).hexdigest(), frozenset(allowed), lines)
    _check_places(catalogue)
    return catalogue


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CatalogueError(f"{path}: there is no such file")
        if path.stat().st_size > _LARGEST:
            raise CatalogueError(f"{path}: more than {_LARGEST} bytes; no catalogue is as large")
        return path.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror or error}") from error


def _fetched(url: str, connect: Connect) -> bytes:
    host = host_of(urlsplit(url))  # who names the catalogue's URL allows its host
    return read_small(url, [host], largest=_LARGEST, connect=connect)


def _refuse_foreign(origin: str, data: Any) -> None:
    """Refuse catalogues of Intake, whose templates, readers and pickles run code when they are loaded."""
    if isinstance(data, dict) and "crest_catalogue" not in data:
        intake = "sources" in data or {"entries", "data"} <= set(data) or {"entries", "aliases"} <= set(data)
        if intake:
            raise CatalogueError(
                f"{origin}: this is a catalogue of Intake, which can run code when it is opened; it is not read: "
                f"{_HOW_TO}"
            )


def _check_places(catalogue: Catalogue) -> None:
    """Refuse URLs that are not allowed, and paths in what came by URL; nothing is looked up."""
    faults: list[tuple[Catalogue | Entry, tuple[str, ...], str]] = []
    if catalogue.is_remote:
        if catalogue.section.folder:
            faults.append((catalogue, ("folder",), "a catalogue that is read by URL names no folder; take it out"))
        if foreign := sorted(set(catalogue.section.hosts) - catalogue.hosts):
            faults.append(
                (catalogue, ("hosts",), f"{', '.join(foreign)} must be allowed by who reads it: --host {foreign[0]}")
            )
    for entry in catalogue:
        if catalogue.is_remote and entry.section.package:
            faults.append((entry, ("package",), "a catalogue that is read by URL names no package of this machine"))
        for argument, file in entry.section.files.items():
            place = ("files", argument, "url" if file.url else "path")
            try:
                if url := entry.url_of(file):
                    check_url(url, catalogue.hosts)
            except CatalogueError as error:
                faults.append((entry, place, str(error)))
    if faults:
        raise CatalogueError("\n".join(f"{owner.where(*place)}: {text}" for owner, place, text in faults))


def _where(origin: str, lines: dict[Place, int], place: Place) -> str:
    return f"{origin}:{line_of_key(lines, place)}: {'.'.join(map(str, place)) or 'catalogue'}"
