"""Chunks that a Zarr store lacks: legal where all values are the fill value, and what a lost file looks like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from crest_data.errors import DataError


@dataclass(frozen=True)
class Lack:
    """An array of which chunks are not there, and what is read in their place."""

    name: str
    missing: int
    expected: int
    fill: Any
    means_missing: bool
    """Whether readers decode the fill value as missing."""

    def __str__(self) -> str:
        return f"{self.name} lacks {self.missing} of {self.expected} chunks"


def check_chunks(root: Path, *, fill: bool) -> list[str]:
    """Return what to tell of chunks that are not there, read as missing or, with `fill`, as the fill value.

    DataError where they would be read as numbers, without `fill`. Coordinates of one dim are left out: a chunk of zeros
    alone is left out by most writers, and what it is for is checked with the times and places.
    """
    lacks = [lack for lack in _lacks(root, root) if lack.missing]
    if numbers := [lack for lack in lacks if not lack.means_missing and not fill]:
        raise DataError(
            f"{root}: {'; '.join(map(str, numbers))}, which read as {numbers[0].fill!r}: files may be lost; bring "
            f"them back, or say missing_chunks='fill' where the writer leaves out chunks that hold nothing else"
        )
    return [f"{lack}, read as {'missing' if lack.means_missing else repr(lack.fill)}" for lack in lacks]


def _lacks(node: Path, root: Path) -> list[Lack]:
    """Return the arrays below a node, by counting files: nothing is decoded."""
    name = str(node.relative_to(root))
    if (node / ".zarray").is_file():
        metadata = json.loads((node / ".zarray").read_text(encoding="utf-8"))
        files = [file for file in node.rglob("*") if file.is_file() and not file.name.startswith(".")]
        fill = metadata.get("fill_value")
        return _counted(name, metadata["shape"], metadata["chunks"], len(files), fill, fill is not None)
    content = json.loads((node / "zarr.json").read_text(encoding="utf-8")) if (node / "zarr.json").is_file() else {}
    if content.get("node_type") == "array":
        chunks = content["chunk_grid"]["configuration"]["chunk_shape"]
        files = [file for file in node.rglob("*") if file.is_file() and not file.name.startswith(("zarr.json", "."))]
        fill = content.get("fill_value")
        means = fill == "NaN" or "_FillValue" in content.get("attributes", {})
        return _counted(name, content["shape"], chunks, len(files), fill, means)
    return [lack for child in sorted(node.iterdir()) if child.is_dir() for lack in _lacks(child, root)]


def _counted(name: str, shape: list[int], chunks: list[int], found: int, fill: Any, means: bool) -> list[Lack]:
    if len(shape) < 2:
        return []
    expected = prod(-(-length // size) for length, size in zip(shape, chunks, strict=True))
    return [Lack(name, max(expected - found, 0), expected, fill, means)]
