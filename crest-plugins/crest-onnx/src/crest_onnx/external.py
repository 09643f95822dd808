"""External data of an ONNX file: taken in where it lies in the model's folder as a plain file, refused elsewhere.

A link, hard or symbolic, could point at anything that the user may read, and a network can be made to give it away
(CVE-2022-25882, CVE-2024-27318, CVE-2026-27489 and others). onnxruntime never sees a path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from onnx import TensorProto

from crest_core import StoreError


def take_in(model: Path, tensors: Sequence[TensorProto], largest: int) -> None:
    """Move external data into the tensors; at most `largest` bytes in all."""
    left = largest
    for tensor in tensors:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        who = f"model {model}: the external data of tensor {tensor.name!r}"
        if tensor.data_type == TensorProto.STRING:
            raise StoreError(f"{who} are text; expected numbers")
        entries = {item.key: item.value for item in tensor.external_data}
        start, length = _number(who, entries, "offset"), _number(who, entries, "length")
        location = entries.get("location", "")
        if PurePosixPath(location) == PurePosixPath(model.name):
            raise StoreError(f"{who} lie at {location!r}, which is the model itself; expected a file of their own")
        content = _read(who, model.parent, location, start, length, left)
        left -= len(content)
        tensor.raw_data = content
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _number(who: str, entries: dict[str, str], key: str) -> int | None:
    text = entries.get(key, "")
    if key in entries and not (text.isascii() and text.isdigit()):
        raise StoreError(f"{who}: {key} {text!r} is no number")
    return int(text) if text else None


def _read(who: str, folder: Path, location: str, start: int | None, length: int | None, largest: int) -> bytes:
    parts = _parts(who, location)
    descriptor = _open_within(who, folder, parts)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        os.close(descriptor)
        raise StoreError(
            f"{who}: {location!r} is no regular file of its own but a link, a folder or a device; copy it there"
        )
    with open(descriptor, "rb") as file:
        begin = start or 0
        count = about.st_size - begin if length is None else length
        if count < 0 or begin + count > about.st_size:
            raise StoreError(f"{who}: {location!r} has {about.st_size} bytes, {begin + count} are asked for")
        if count > largest:
            raise StoreError(f"{who}: {count} bytes more than the largest size of a model allows")
        file.seek(begin)
        return file.read(count)


def _parts(who: str, location: str) -> tuple[str, ...]:
    path = PurePosixPath(location)
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in location
        or ":" in location
        or "\0" in location
    ):
        raise StoreError(f"{who} lie at {location!r}; expected a file inside the folder of the model")
    return path.parts


def _open_within(who: str, folder: Path, parts: Sequence[str]) -> int:
    """Return a descriptor of a file reached from the folder without following any link, checked as it is opened."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            inner = os.open(part, flags if last else flags | os.O_DIRECTORY, dir_fd=opened)
            os.close(opened)
            opened = inner
    except OSError as error:
        os.close(opened)
        raise StoreError(
            f"{who} lie at {'/'.join(parts)!r}, which is no file reached without links: {error.strerror}"
        ) from error
    return opened
