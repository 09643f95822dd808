"""load_model: a model folder as a component; its files are checked, and then copied, before a library opens them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from crest_core import Component, CrestError
from crest_models.backends import build
from crest_models.errors import ModelError
from crest_models.reading import MODEL_FILE, ModelFolder, read_folder
from crest_models.registered import build_registered


def load_model(folder: str | Path, *, sha256: str | None = None) -> Component:
    """Return the component of a model folder; nothing in the folder is executed.

    `sha256` is that of `model.yaml`, which holds the one of the weights: with it neither can be exchanged. Raises
    ModelError with file, line and key.
    """
    found = read_folder(folder)
    if sha256 is not None and found.sha256 != sha256:
        raise ModelError(
            f"{found.path / MODEL_FILE}: expected sha256 {sha256}, got {found.sha256}; the file was changed"
        )
    return build_component(found)


def build_component(found: ModelFolder) -> Component:
    """Return the component; libraries see a private copy of the bytes that were hashed, and no link or other file."""
    content = found.read_weights()
    if found.keys.component is not None:
        return build_registered(found, found.keys.component, content)
    name = found.keys.weights.file
    with tempfile.TemporaryDirectory(prefix="crest-model-") as folder:
        copy = Path(folder) / name
        copy.write_bytes(content)
        with found.at("weights"):
            try:
                return build(found.keys, copy)
            except CrestError as error:  # the reader knows the file by its own path
                raise type(error)(str(error).replace(str(copy), str(found.path / name))) from error
