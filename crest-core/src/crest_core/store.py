"""Store: where a state is kept between runs; the core's own is one safetensors file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from crest_core.component import Tensors
from crest_core.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr


class Store(Protocol):
    """Keeps a flat dict of named tensors and what belongs to it; a save is whole or absent."""

    def save(self, state: Tensors, attributes: Mapping[str, Any]) -> None:
        """Replace what is stored, atomically."""

    def load(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the last state that was saved, and its attributes."""


class Archive(Protocol):
    """Keeps what a run produces window by window: outputs, state and record in one commit, whole or absent."""

    def commit(self, outputs: "xr.Dataset", state: Tensors, attributes: Mapping[str, Any]) -> None:
        """Append the outputs of one window, with the state at its end and what a later run must know of it.

        `attributes` are JSON values: start and time (the window's ends, ISO), calendar, hashes, places, versions, seed.
        """

    def load(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the last state that was committed, and its attributes."""

    def open(self) -> "xr.Dataset":
        """Return the outputs that are committed, read when needed."""


class SafetensorsStore:
    """A state and its attributes (JSON values) in one safetensors file.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SafetensorsStore(Path(folder) / "restart.safetensors")
    ...     store.save({"soil.water": torch.ones(2)}, {"time": "2001-01-01"})
    ...     store.load()[1]["time"]
    '2001-01-01'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def save(self, state: Tensors, attributes: Mapping[str, Any]) -> None:
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
        write_atomically(self.path, save(tensors, {"crest": json.dumps(dict(attributes), sort_keys=True)}))

    def load(self) -> tuple[Tensors, dict[str, Any]]:
        if not self.path.is_file():
            raise StoreError(f"restart {self.path}: no such file")
        try:
            with safe_open(self.path, framework="pt") as file:
                attributes = json.loads((file.metadata() or {})["crest"])
                return {name: file.get_tensor(name) for name in file.keys()}, attributes  # noqa: SIM118
        except (SafetensorError, KeyError, ValueError) as error:
            why = f"{type(error).__name__}: {error}; it is damaged or was not written by CREST"
            raise StoreError(f"restart {self.path} cannot be read: {why}") from error


def write_atomically(path: Path, payload: bytes | memoryview) -> None:
    """Write a file by temporary file, fsync and rename: a crash leaves the old or the new content whole."""
    try:
        path = path.resolve()  # a link stays one
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is no regular file and is left alone; give the path of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)  # without this a power cut could undo the rename
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise StoreError(f"{path} cannot be written: {error}") from error
