"""The header of a safetensors file, checked against the file's size before any library allocates a tensor."""

from __future__ import annotations

import json
from math import prod
from typing import Any

from crest_models.errors import ModelError

_LARGEST_HEADER = 2**24  # bytes
_MOST_AXES = 16
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
         "F64": 64, "I64": 64, "U64": 64}  # fmt: skip
_PICKLES = (b"PK", b"\x80")  # torch.save writes zip archives of pickles, older versions bare pickles


def count_numbers(content: bytes) -> int:
    """Return how many numbers the tensors of a file hold; ModelError if header and size contradict each other."""
    tensors, room = _header(content)
    counts = {name: _numbers(name, about, room) for name, about in tensors.items()}
    taken = sum(about["data_offsets"][1] - about["data_offsets"][0] for about in tensors.values())
    if taken != room:
        raise ModelError(f"the tensors take {taken} bytes, and the file holds {room} bytes of data; it is made up")
    return sum(counts.values())


def tensor_kinds(content: bytes) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype and shape of each tensor of a file that `count_numbers` has checked."""
    return {name: (about["dtype"], tuple(about["shape"])) for name, about in _header(content)[0].items()}


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    """Return the tensors of the header and the bytes that follow it."""
    length = int.from_bytes(content[:8], "little")
    if content.startswith(_PICKLES) and content[8:9] != b"{":  # a header of 128 bytes begins as a pickle does, too
        raise ModelError(
            "this looks like a pickle of torch.save, which can run code and is never opened; its author can write "
            "safetensors.torch.save_file(module.state_dict(), path)"
        )
    if len(content) < 8 or length > min(len(content) - 8, _LARGEST_HEADER):
        raise ModelError(f"no safetensors file, or cut off: a header of {length} bytes in a file of {len(content)}")
    try:
        header = json.loads(content[8 : 8 + length], object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"no safetensors file: its header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise ModelError("no safetensors file: its header is no JSON object")
    header.pop("__metadata__", None)
    return header, len(content) - 8 - length


def _numbers(name: str, about: Any, room: int) -> int:
    try:
        kind, shape, (start, end) = about["dtype"], about["shape"], about["data_offsets"]
        whole = len(shape) <= _MOST_AXES and all(type(size) is int and size >= 0 for size in (*shape, start, end))
        bits = _BITS[kind]
    except (TypeError, LookupError, ValueError) as error:
        raise ModelError(f"tensor {name!r}: the header gives no known dtype, shape and data_offsets") from error
    count = prod(shape) if whole else -1
    if not whole or end > room or end - start != count * bits // 8:
        raise ModelError(
            f"tensor {name!r} declares {kind} of shape {shape[:_MOST_AXES]} in the bytes {start} to {end}, and the "
            f"file holds {room} bytes of data; it is damaged or made up"
        )
    return count


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands in it twice")
    return dict(pairs)
