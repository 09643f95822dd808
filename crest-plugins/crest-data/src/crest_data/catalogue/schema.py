"""The keys of a catalogue, each section with its types and limits; a path or URL is judged where it is used."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from crest_data.catalogue.values import (
    Argument,
    Date,
    Inside,
    Line,
    Name,
    Place,
    Plain,
    Reader,
    Sha256,
    Size,
    Text,
    Units,
)

Scalar = str | bool | int | float
RESERVED = ("entry", "catalogue")  # arguments of open_entry itself


class Section(BaseModel):
    """A mapping of a catalogue, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class PartSection(Section):
    """What one file must be, before it is opened."""

    sha256: Sha256
    """Of the content."""
    size: Size
    """In bytes."""


class FileSection(Section):
    """A file or folder that a reader takes: a path or a URL."""

    path: Place | None = None
    """Relative to the catalogue, or to the folder of the package that the entry names."""
    url: Place | None = None
    """https://, s3:// or gs://, of a host that the catalogue lists under hosts."""
    sha256: Sha256 | None = None
    """Of the content; checked before use."""
    size: Size | None = None
    """In bytes; checked before use."""
    parts: Annotated[dict[Inside, PartSection], Field(max_length=100_000)] = {}
    """Files within a folder, which are checked before use."""

    @model_validator(mode="after")
    def _fits(self) -> FileSection:
        if (self.path is None) == (self.url is None):
            raise PydanticCustomError("file", "expected one of the keys path and url")
        if (self.sha256 is None) != (self.size is None):
            raise PydanticCustomError("file", "sha256 and size belong together; `crest data check` prints both")
        if self.sha256 and self.parts:
            raise PydanticCustomError("file", "sha256 and size are those of a file, parts those in a folder")
        if self.url and self.sha256 is None:
            raise PydanticCustomError("file", "a url needs the sha256 and size of what it gives")
        return self


class PackageSection(Section):
    """A distribution that ships the files; it is not imported."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    """Name of its import package, whose folder paths are relative to."""
    install: Line
    """The command that installs it."""


class ParameterSection(Section):
    """A choice that is left to who opens the entry."""

    type: Literal["text", "integer", "number", "boolean", "date"]
    """Type of the value, or of each of many."""
    summary: Line
    """What it does."""
    default: Scalar | list[Scalar]
    """The value unless another is given."""
    many: bool = False
    """True: a list of values."""
    choices: list[Scalar] = []
    """The values to choose from; any where the list is empty."""
    minimum: float | None = None
    """The smallest number."""
    maximum: float | None = None
    """The largest number."""
    argument: Argument | None = None
    """The argument of the reader that receives it; by default the one of the same name."""


class RegionSection(Section):
    """Where the data are."""

    name: Line
    """In words."""
    lat: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """South and north [degrees_north]."""
    lon: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """West and east [degrees_east], within [-180, 180)."""


class EntrySection(Section):
    """One data set."""

    summary: Line
    """One line for lists."""
    reader: Reader
    """Registered name of a data source, as in `crest list --kind data_sources`."""
    files: dict[Argument, FileSection] = {}
    """What the reader takes, by its arguments."""
    package: PackageSection | None = None
    """The distribution that ships the files."""
    arguments: dict[Argument, Plain] = {}
    """Other arguments of the reader."""
    parameters: dict[Argument, ParameterSection] = {}
    """Arguments that who opens the entry may choose."""
    licence: Line
    """SPDX name, or the terms in a line."""
    citation: Text
    """What to cite."""
    period: Annotated[list[Date], Field(min_length=2, max_length=2)] | None = None
    """First day, and the end, itself excluded."""
    region: RegionSection | None = None
    """Where."""
    variables: dict[Argument, Units] = {}
    """Units by the names that the reader hands out."""
    remarks: Text | None = None
    """What to know before use."""

    @model_validator(mode="after")
    def _slots(self) -> EntrySection:
        taken = [*self.files, *self.arguments]
        taken += [section.argument or name for name, section in self.parameters.items()]
        twice = sorted({name for name in taken if taken.count(name) > 1})
        if twice:
            raise PydanticCustomError(
                "entry", "the argument {name} is given twice among files, arguments and parameters", {"name": twice[0]}
            )
        reserved = [name for name in self.parameters if name in RESERVED]
        if reserved:
            raise PydanticCustomError("entry", "a parameter cannot be called {name}", {"name": reserved[0]})
        if self.reader == "catalogue":
            raise PydanticCustomError("entry", "an entry cannot be read by the reader catalogue")
        return self


class CatalogueSection(Section):
    """A whole catalogue."""

    crest_catalogue: Literal[1]
    """Version of this schema."""
    name: Name
    """Its name, which entries may be called by: name/entry."""
    summary: Line
    """One line for lists."""
    hosts: Annotated[list[Line], Field(max_length=100)] = []
    """Hosts that URLs may name: data.example.org, or s3://bucket, gs://bucket."""
    folder: Place | None = None
    """Where relative paths begin; by default the folder of the catalogue."""
    entries: Annotated[dict[Name, EntrySection], Field(min_length=1, max_length=10_000)]
    """Data sets by name."""
