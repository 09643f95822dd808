"""Models from .keras files: everything in the file is checked before Keras opens it, and only that is opened."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from copy import deepcopy
from math import prod
from pathlib import Path
from typing import Any

import h5py

from crest_core import StoreError
from crest_keras.allowed import check_config
from crest_keras.configuration import without_compiling
from crest_keras.library import keras_library, own_random_state

MAX_BYTES = 2**30
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_CONFIG_BYTES = 2**24


def load_keras_file(path: str | Path, *, sha256: str | None = None, max_bytes: int = MAX_BYTES) -> Any:
    """Return the Keras model of a .keras file; nothing in the file is executed.

    Refused before Keras is asked: another sha256, a file or content above `max_bytes`, other members than
    configuration and weights, classes that are not Keras's own (`crest_keras.allowed`), links and external data in the
    weights, and a configuration that asks for more numbers than the weights have. The optimizer is left out.
    """
    path = Path(path)
    members = read_members(path, sha256, max_bytes)
    keras = keras_library()
    config = _configuration(path, members[CONFIG])
    check_config(f"model file {path}", config, keras)
    config = without_compiling(config)
    stored = check_weights(path, members[WEIGHTS], max_bytes)
    try:
        with own_random_state():
            with keras.StatelessScope(initialize_variables=False):  # shapes without memory
                variables = keras.saving.deserialize_keras_object(deepcopy(config)).variables  # config is emptied
            wanted = sum(prod(v.shape) for v in variables if "float" in str(v.dtype))
            if wanted > stored:
                raise StoreError(
                    f"model file {path}: its configuration asks for {wanted} real numbers, and {WEIGHTS} has {stored}; "
                    f"the file is damaged or made up"
                )
            return _loaded(keras, members | {CONFIG: json.dumps(config).encode()})
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, OSError, RuntimeError) as error:
        if isinstance(error, StoreError):
            raise
        reason = " ".join(str(error).split())[:600]
        raise StoreError(
            f"model file {path}: Keras {keras.__version__} cannot build it: {type(error).__name__}: {reason}"
        ) from error


def read_members(path: Path, sha256: str | None, max_bytes: int) -> dict[str, bytes]:
    """Return the three members of a .keras file after checking its hash, names and sizes."""
    if not path.is_file():
        raise StoreError(f"model file {path}: no such file")
    size = path.stat().st_size
    if size > max_bytes:
        raise StoreError(f"model file {path}: {size} bytes, at most {max_bytes}; raise max_bytes if you trust it")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise StoreError(f"model file {path}: expected the sha256 {sha256}, got {found}; it is another file or damaged")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(path, archive.infolist(), max_bytes)
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        old = (
            " (HDF5 files of Keras 2 are not read; save the model again as .keras)" if content[:4] == b"\x89HDF" else ""
        )
        raise StoreError(f"model file {path} is no whole .keras file: {error}{old}") from error


def check_weights(path: Path, content: bytes, max_bytes: int) -> int:
    """Return how many numbers the weights hold, after checking every item of the HDF5 file."""
    who = f"model file {path}, {WEIGHTS}"
    count, size = 0, 0
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            for name, item in _items(who, file):
                if item.dtype.kind not in "fiu" or item.external or item.is_virtual:
                    kind = "external or virtual data" if item.external or item.is_virtual else str(item.dtype)
                    raise StoreError(f"{who}: {name} holds {kind}; expected plain numbers")
                count, size = count + item.size, size + item.nbytes
                if size > max_bytes:
                    raise StoreError(f"{who}: {name} declares {item.nbytes} bytes, at most {max_bytes} in all")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{who} cannot be read: {error}; the file is damaged") from error
    return count


def _check_members(path: Path, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    names = [info.filename for info in members]
    if sorted(names) != sorted((CONFIG, METADATA, WEIGHTS)):
        raise StoreError(
            f"model file {path}: expected the members {CONFIG}, {METADATA} and {WEIGHTS}, got {names[:10]}; assets and "
            f"files elsewhere are not loaded"
        )
    for info in members:
        limit = MAX_CONFIG_BYTES if info.filename in (CONFIG, METADATA) else max_bytes
        if info.file_size > limit:
            raise StoreError(f"model file {path}: {info.filename} unpacks to {info.file_size} bytes, at most {limit}")


def _configuration(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"model file {path}: {CONFIG} is no JSON: {error}") from error


def _items(who: str, group: h5py.Group, place: str = "") -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield all datasets; links that lead elsewhere, or back, are refused before they are followed."""
    if place.count("/") > 50:
        raise StoreError(f"{who}: groups are nested more than 50 levels deep; a link leads back")
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise StoreError(f"{who}: {place}/{name} is a {type(link).__name__}; links are not followed")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _items(who, item, f"{place}/{name}")
        elif isinstance(item, h5py.Dataset):
            yield f"{place}/{name}", item
        else:
            raise StoreError(f"{who}: {place}/{name} is a stored {type(item).__name__}; expected plain numbers")


def _loaded(keras: Any, members: dict[str, bytes]) -> Any:
    """Return what Keras makes of the checked members, written into a file of our own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        with zipfile.ZipFile(copy, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return keras.saving.load_model(copy, compile=False, safe_mode=True)
