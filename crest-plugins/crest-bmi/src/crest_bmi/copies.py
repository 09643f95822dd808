"""Copies between the array of a variable and the caller's: every mismatch is an error that names the call."""

from __future__ import annotations

from typing import Any

import numpy as np

from crest_bmi.model import Array
from crest_core import FieldError


def copy_out(call: str, values: Array, dest: Array, inds: Any = None) -> Array:
    """Fill the caller's array with a variable, or with its places `inds`, and return it."""
    found = values if inds is None else values[_places(call, values.size, inds)]
    if not isinstance(dest, np.ndarray) or dest.size != found.size or not dest.flags.writeable:
        raise FieldError(
            f"{call}: expected a writeable array of {found.size} {values.dtype} as dest, got {_told(dest)}"
        )
    if not np.can_cast(values.dtype, dest.dtype, "same_kind"):
        raise FieldError(f"{call}: expected a dest of type {values.dtype}, got {dest.dtype}, which cannot hold it")
    dest[...] = found.reshape(dest.shape)
    return dest


def copy_in(call: str, values: Array, src: Any, inds: Any = None) -> None:
    """Overwrite a variable, or its places `inds` with one number or one for each, by the caller's numbers."""
    given = _array(src)
    if given is None or not np.can_cast(given.dtype, values.dtype, "same_kind"):
        raise FieldError(f"{call}: expected numbers that fit {values.dtype}, got {_told(src)}")
    places = None if inds is None else _places(call, values.size, inds)
    size = values.size if places is None else places.size
    if given.size != size and (places is None or given.size != 1):
        raise FieldError(f"{call}: expected {size} numbers, got {given.size}")
    if places is None:
        values[...] = given.reshape(values.shape)
    else:
        values[places] = given.reshape(-1)


def _places(call: str, size: int, inds: Any) -> Array:
    found = _array(inds)
    if found is None or (found.size and found.dtype.kind not in "iu"):
        raise FieldError(f"{call}: expected whole numbers as indices, got {_told(inds)}")
    found = found.reshape(-1).astype(np.intp)
    if wrong := sorted({int(one) for one in found if not 0 <= one < size}):
        raise FieldError(f"{call}: expected indices from 0 to {size - 1}, got {wrong[:5]}")
    return found


def _array(value: Any) -> Array | None:
    """Return a value as an array, None where its rows differ in length."""
    try:
        return np.asarray(value)
    except ValueError:
        return None


def _told(value: Any) -> str:
    """Return size and number type of an array, else the value itself, shortened."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{'' if value.flags.writeable else 'read-only '}{value.size} of type {value.dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
