"""Chunks that a Zarr store lacks: legal where all values are the fill value, and what a lost file looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.gridded import Wanted, names_of

_KEY = re.compile(r"(?:c[/.])?(\d+(?:[/.]\d+)*)")
_PLACES = ("lat", "lon", "latitude", "longitude", "cell_id")


@dataclass(frozen=True)
class Lack:
    """An array of which chunks are not there, and what is read in their place."""

    name: str
    first: tuple[int, ...]
    missing: int
    expected: int
    fill: Any
    is_missing: bool
    """Whether the fill value is read as missing."""
    is_flag: bool
    """Whether the array holds codes, of which a chunk of 0 is mostly not written."""

    def __str__(self) -> str:
        number = f"{self.missing} of {self.expected}" if self.missing < self.expected else f"all {self.expected}"
        return f"{self.name} lacks {number} chunks (the first is {'.'.join(map(str, self.first))})"

    @property
    def read_as(self) -> str:
        """What is read where a chunk is not there."""
        return "missing" if self.is_missing else "what is not told" if self.fill is None else f"{self.fill}"

    @property
    def is_told(self) -> bool:
        """Whether it is enough to tell it: values that are missing, unless all are, and codes."""
        return self.is_flag or (self.is_missing and self.missing < self.expected)


def lacks_of(folder: Path, raw: xr.Dataset, wanted: Wanted) -> list[Lack]:
    """Return which of the arrays that are read lack chunks, by the names of files: nothing is decoded.

    `raw` is what xarray opens of the group in `folder`. The coordinate of a dim is left out: that its values rise is
    checked anyway, and one of a single 0 has no chunk.
    """
    fields = names_of(raw, wanted)
    flags = [str(raw[name].attrs.get("ancillary_variables", "")) for name in fields]
    places = [str(name) for name in raw.variables if name in raw.coords or str(name).lower() in _PLACES]
    names = [name for name in dict.fromkeys([*fields, *flags, *places]) if name in raw.variables]
    declared = wanted if isinstance(wanted, Mapping) else {}
    found = []
    for name in names:
        if not raw[name].ndim or name in raw.dims:
            continue
        marks = declared[name].missing if name in declared else ()
        found.append(_lack(name, folder / name, raw[name], marks))
    return [lack for lack in found if lack is not None]


def check_lacks(lacks: list[Lack], path: Path) -> None:
    """Raise where chunks that are not there would be read as numbers, or where all of an array are not there."""
    if odd := [lack for lack in lacks if not lack.is_told]:
        said = "; ".join(f"{lack}, read as {lack.read_as}" for lack in odd)
        raise DataError(
            f"{path}: {said}: were files lost? bring them back, or say missing_chunks='fill' if the writer leaves out "
            f"chunks that hold nothing but the fill value"
        )


def _lack(name: str, folder: Path, raw: xr.DataArray, marks: tuple[float, ...]) -> Lack | None:
    held = raw.encoding
    sizes = held.get("shards") or held.get("chunks") or raw.shape
    grid = tuple(-(-length // size) for length, size in zip(raw.shape, sizes, strict=True))
    found = {key for key in _keys(folder) if len(key) == len(grid) and all(map(int.__lt__, key, grid))}
    if len(found) >= prod(grid):
        return None
    first = next(index for index in np.ndindex(grid) if index not in found)
    fill = held.get("fill_value", held.get("_FillValue"))
    known = [mark for mark in (held.get("_FillValue"), held.get("missing_value"), *marks) if mark is not None]
    is_missing = fill is not None and (fill != fill or any(np.any(fill == np.ravel(mark)) for mark in known))
    return Lack(name, first, prod(grid) - len(found), prod(grid), fill, bool(is_missing), "flag_values" in raw.attrs)


def _keys(folder: Path) -> set[tuple[int, ...]]:
    """Return the indices of the chunks whose files are there, formats 2 and 3, keys with dots or folders."""
    files = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    matches = (_KEY.fullmatch(file) for file in files)
    return {tuple(map(int, re.split(r"[/.]", match[1]))) for match in matches if match}
