"""Arrays: numbers in the repository, bit for bit, each chunk compressed and with a crc32c checksum."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import icechunk
import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.errors import UnstableSpecificationWarning

from crest_core import StoreError
from crest_store.errors import DamageError
from crest_store.repository import reason

_CODECS = {"bytes", "crc32c", "vlen-utf8", "zstd"}
UNREADABLE = (icechunk.IcechunkError, OSError, ValueError, RuntimeError)  # what reading damaged data raises
_LARGEST = 64 * 2**20  # bytes of a chunk before compression


@contextmanager
def quiet() -> Iterator[None]:
    """Keep zarr from saying at each array that text of fixed length has no agreed specification yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        yield


def write(
    group: zarr.Group,
    name: str,
    values: np.ndarray,
    *,
    dims: tuple[str, ...] = (),
    attributes: dict[str, Any] | None = None,
    rows: int = 0,
) -> None:
    """Write a new array; `rows` > 0 cuts its first dimension into chunks of that length, to be appended to."""
    values = _storable(name, values)
    chunks = [max(1, size) for size in values.shape]
    if rows:
        chunks[0] = rows
    while np.prod(chunks, dtype=float) * values.dtype.itemsize > _LARGEST and max(chunks[bool(rows) :], default=1) > 1:
        largest = bool(rows) + int(np.argmax(chunks[bool(rows) :]))
        chunks[largest] = -(-chunks[largest] // 2)
    with quiet():
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            chunks=tuple(chunks),
            dimension_names=dims or None,
            attributes=attributes or {},
            compressors=[ZstdCodec(), Crc32cCodec()],
            fill_value=_fill(values.dtype),
            config={"write_empty_chunks": True},  # a chunk of -0.0 or of another NaN than the fill value is data
        )
        if values.size:
            array[...] = values


def append(group: zarr.Group, name: str, values: np.ndarray) -> None:
    """Add rows along the first dimension."""
    if not len(values):
        return
    array = opened(group, name)
    before = array.shape[0]
    if array.shape[1:] != values.shape[1:]:
        raise StoreError(f"{name}: rows of shape {values.shape[1:]} do not fit {array.shape[1:]}, written so far")
    if array.dtype != values.dtype:
        raise StoreError(f"{name}: values are {values.dtype}, those written so far {array.dtype}; keep the number type")
    array = array.with_config({"write_empty_chunks": True})
    array.resize((before + len(values), *array.shape[1:]))
    array[before:] = values


def cut(group: zarr.Group, name: str, length: int) -> None:
    """Keep the first rows of an array."""
    array = opened(group, name)
    if array.shape[0] > length:
        array.resize((length, *array.shape[1:]))


def read(group: zarr.Group, name: str) -> np.ndarray:
    """Return the whole array."""
    return values_of(opened(group, name))


def values_of(array: zarr.Array, key: Any = ...) -> np.ndarray:
    """Return values; where a chunk cannot be read, DamageError names array and chunk."""
    try:
        return np.asarray(array.oindex[key])
    except UNREADABLE as error:
        for place, why in broken_chunks(array):
            advice = "`crest store check` names the files"
            raise DamageError(f"{array.path} chunk {place} is damaged: {why}; {advice}") from error
        raise


def broken_chunks(array: zarr.Array) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the chunks that fail their checksums or cannot be read, and why."""
    for place in np.ndindex(array.cdata_shape):
        block = tuple(slice(one * size, (one + 1) * size) for one, size in zip(place, array.chunks, strict=True))
        try:
            array[block]
        except UNREADABLE as error:
            yield place, reason(error)


def group_at(root: zarr.Group, path: str) -> zarr.Group:
    """Return a group that exists."""
    found = root[path]
    if not isinstance(found, zarr.Group):
        raise StoreError(f"{path} is no group; the run was not written by CREST")
    return found


def opened(group: zarr.Group, name: str) -> zarr.Array:
    """Return an array whose codecs are numbers, compression and checksums, never code."""
    with quiet():
        array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError(f"{group.path}/{name} is no array; the run was not written by CREST")
    return checked(array)


def checked(array: zarr.Array) -> zarr.Array:
    """Return the array; StoreError for object arrays and codecs that are not on the list."""
    metadata: Any = array.metadata
    codecs = {str(codec.to_dict()["name"]) for codec in metadata.codecs}
    if strange := sorted(codecs - _CODECS):
        raise StoreError(f"{array.path} has codecs {strange}; a run has only {', '.join(sorted(_CODECS))}: left unread")
    return array


def all_arrays(group: zarr.Group) -> Iterator[zarr.Array]:
    """Yield every array below a group."""
    with quiet():
        members = list(group.members(max_depth=None))
    for _, member in members:
        if isinstance(member, zarr.Array):
            yield checked(member)


def _storable(name: str, values: np.ndarray) -> np.ndarray:
    """Return numbers and text; text of objects becomes text of fixed length."""
    values = np.asarray(values)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(np.str_)
    if values.dtype.kind not in "biufcU":
        raise StoreError(f"{name}: values of type {values.dtype} are not stored; make them numbers or text")
    return values.astype(values.dtype.str, copy=False)  # NumPy has two kinds of int64, Zarr knows one


def _fill(dtype: np.dtype) -> Any:
    return np.nan if dtype.kind == "f" else "" if dtype.kind == "U" else dtype.type(0)
