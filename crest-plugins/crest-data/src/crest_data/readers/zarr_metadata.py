"""Metadata of a Zarr store, read as JSON before anything is decoded: known codecs, numbers and text, chunks of a size.

A codec `pickle` runs code when a chunk is decoded; so only codecs named here are.
"""

from __future__ import annotations

import json
import re
from math import prod
from pathlib import Path
from typing import Any

from crest_data.errors import DataError

_CODECS = {"zlib", "gzip", "zstd", "blosc", "lz4", "lzma", "bz2", "delta", "shuffle", "fixedscaleoffset", "quantize",
           "bitround", "crc32", "crc32c", "adler32", "fletcher32", "astype", "packbits", "vlen-utf8"}  # fmt: skip
_CODECS_3 = {"bytes", "transpose", "gzip", "zstd", "blosc", "crc32c", "sharding_indexed", "vlen-utf8"}
_NUMBERS_2 = re.compile(r"[<>|][biufUSMm]\d+(\[\w+\])?")
_NUMBERS_3 = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|numpy\.(date|timedelta)time64|fixed_length_\w+|string")
_DEEPEST = 8  # groups within groups
_LARGEST = 16 * 2**20  # bytes of one metadata file


def check_store(path: Path, max_chunk: int) -> None:
    """Raise if an array of the store has objects, an unknown codec, or chunks of more than `max_chunk` bytes."""
    if not path.is_dir():
        raise DataError(f"{path}: there is no such folder; a Zarr store is a local folder")
    if not any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata")):
        raise DataError(f"{path}: no Zarr group (no zarr.json, no .zgroup); is it the right folder, and whole?")
    _check_node(path, path, max_chunk, 0)


def _check_node(node: Path, root: Path, max_chunk: int, depth: int) -> None:
    if depth > _DEEPEST:
        raise DataError(f"{root}: groups lie more than {_DEEPEST} deep")
    name = node.relative_to(root)
    try:
        if (node / ".zarray").is_file():
            _check_array_2(_json(node / ".zarray"), name, root, max_chunk)
            return
        if (node / "zarr.json").is_file():
            metadata = _json(node / "zarr.json")
            if metadata.get("node_type") == "array":
                _check_array_3(metadata, name, root, max_chunk)
                return
    except (AttributeError, TypeError) as error:  # a number where an object or a list is expected
        raise DataError(f"{root}: array {name}: no readable metadata ({error}); is the store whole?") from error
    for child in sorted(child for child in node.iterdir() if child.is_dir()):
        _check_node(child, root, max_chunk, depth + 1)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: more than {_LARGEST} bytes of metadata")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable metadata ({error}); is the store whole?") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: no readable metadata (expected an object); is the store whole?")
    return content


def _check_array_2(metadata: dict[str, Any], name: Path, root: Path, max_chunk: int) -> None:
    steps = [step for step in [metadata.get("compressor"), *(metadata.get("filters") or [])] if step]
    codecs = [str(step.get("id")) for step in steps]
    _check_codecs(codecs, _CODECS, name, root)
    kind = metadata.get("dtype")
    text = kind == "|O" and "vlen-utf8" in codecs
    if not text and not (isinstance(kind, str) and _NUMBERS_2.fullmatch(kind)):
        raise DataError(f"{root}: array {name} holds {kind}, objects or records; expected numbers or text")
    _check_fill(metadata.get("fill_value"), kind, name, root)
    _check_chunk(metadata.get("chunks"), name, root, max_chunk)


def _check_array_3(metadata: dict[str, Any], name: Path, root: Path, max_chunk: int) -> None:
    kind = metadata.get("data_type")
    kind = kind.get("name") if isinstance(kind, dict) else kind
    if not isinstance(kind, str) or not _NUMBERS_3.fullmatch(kind):
        raise DataError(f"{root}: array {name} holds {kind}, objects or records; expected numbers or text")
    steps = metadata.get("codecs", [])
    inner = [step for one in steps if isinstance(one, dict) for step in one.get("configuration", {}).get("codecs", [])]
    names = [str(step.get("name") if isinstance(step, dict) else step) for step in [*steps, *inner]]
    _check_codecs([one.removeprefix("numcodecs.") for one in names], _CODECS | _CODECS_3, name, root)
    _check_fill(metadata.get("fill_value"), kind, name, root)
    _check_chunk(metadata.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape"), name, root, max_chunk)


def _check_codecs(codecs: list[str], known: set[str], name: Path, root: Path) -> None:
    if unknown := [codec for codec in codecs if codec not in known]:
        raise DataError(
            f"{root}: array {name} is written with the codec {unknown[0]!r}, which is not decoded here (it may run "
            f"code); known are {', '.join(sorted(known))}; write the store again with one of them"
        )


def _check_fill(fill: Any, kind: Any, name: Path, root: Path) -> None:
    """Raise if the fill value of an array of numbers is none: JSON has text for nan, infinity and exact bits."""
    text = isinstance(fill, str) and re.fullmatch(r"NaN|-?Infinity|0x[0-9a-fA-F]+", fill)
    if re.match(r"[<>|][iuf]|u?int|float", str(kind)) and not (fill is None or isinstance(fill, int | float) or text):
        raise DataError(
            f"{root}: array {name} has the fill value {fill!r}, expected a number or none; correct fill_value in its "
            f"metadata"
        )


def _check_chunk(shape: Any, name: Path, root: Path, max_chunk: int) -> None:
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise DataError(f"{root}: array {name} has chunks {shape}, expected sizes; is the store whole?")
    if (size := prod(shape) * 8) > max_chunk:
        raise DataError(f"{root}: one chunk of {name} {shape} takes {size} bytes, the limit is {max_chunk}")
