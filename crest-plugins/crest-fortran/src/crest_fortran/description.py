"""What a library says of itself, and where its fields lie in memory; standard library only."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("input", "output", "state", "parameter")
BLOCKS = ("parameters", "inputs", "state_in", "state_out", "outputs")
"""What a step reads and writes; for a pullback the cotangents of the last two come in, those of the first three out."""
_ALIGNMENT = 64  # bytes, a cache line


@dataclass(frozen=True, slots=True)
class LibraryField:
    """One field as the library declares it."""

    kind: str
    name: str
    units: str
    levels: int = 1
    is_static: bool = False
    bounds: tuple[float, float] | None = None
    vertical: tuple[float, float] | None = None
    initial: tuple[float, ...] = (0.0,)
    standard_name: str = ""
    cell_methods: str = "time: mean"
    level_dim: str = "level"
    doc: str = ""


@dataclass(frozen=True, slots=True)
class LibraryDescription:
    """Name, version and fields of a library.

    >>> field = LibraryField("input", "rain", "mm day-1")
    >>> LibraryDescription("toy", "1.0", False, "", (field,)).levels("input")
    1
    """

    name: str
    version: str
    opaque: bool
    doc: str
    fields: tuple[LibraryField, ...]
    pullback: bool = False  # it exports crest_pullback

    def of_kind(self, kind: str) -> tuple[LibraryField, ...]:
        """Return the fields of one kind, in the order of memory."""
        return tuple(field for field in self.fields if field.kind == kind)

    def levels(self, kind: str) -> int:
        """Return how many rows the fields of one kind have together."""
        return sum(field.levels for field in self.of_kind(kind))

    def rows(self) -> tuple[int, ...]:
        """Return the rows of each array: of BLOCKS, then of their cotangents, none where there is no pullback."""
        rows = tuple(self.levels(kind) for kind in ("parameter", "input", "state", "state", "output"))
        return rows + (rows if self.pullback else (0,) * len(rows))

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and lists."""
        return asdict(self)


def from_json(data: dict[str, Any]) -> LibraryDescription:
    """Return the description that `to_json` wrote."""
    return LibraryDescription(**(data | {"fields": tuple(map(_field, data["fields"]))}))


def offsets(rows: tuple[int, ...], columns: int) -> tuple[list[int], int]:
    """Return the first byte of each array for so many columns, and the bytes of all together."""
    starts, end = [], 0
    for count in rows:
        starts.append(end)
        size = 8 * count * columns
        end += (size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
    return starts, max(end, _ALIGNMENT)


def check(description: LibraryDescription) -> None:
    """Raise ValueError, with what is wrong, where a description contradicts itself."""
    if not description.of_kind("output"):
        raise ValueError("it describes no output; set field_count in crest_describe_model to the number of all fields")
    if not description.name:
        raise ValueError("its model has no name; set it in crest_describe_model")
    seen = set()
    for number, field in enumerate(description.fields, 1):
        who = f"field {number} ({field.kind} {field.name!r})"
        if (field.kind, field.name) in seen:
            raise ValueError(f"{who} is described twice; names are unique within a kind")
        seen.add((field.kind, field.name))
        if not 1 <= field.levels <= 100_000:
            raise ValueError(f"{who} has {field.levels} levels; expected 1 to 100000")
        for text, pair in (("bounds", field.bounds), ("top and bottom", field.vertical)):
            if pair is not None and not (all(map(math.isfinite, pair)) and pair[0] < pair[1]):
                raise ValueError(f"{who} has {text} {pair}; expected low < high, or 0, 0 for none")


def _field(data: dict[str, Any]) -> LibraryField:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return LibraryField(**values)
