"""The user's model directory as files: one small JSON a model, beside the folder that it names; nothing heavy here.

`<name>.json` holds name, summary, version, folder and the sha256 of `model.yaml`. It is replaced in one step, so that a
model is there whole, in its old or its new version, or not at all. `crest list` reads these files only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PREFIX = "model_"  # of the attributes of `crest_models.added`: no name of Python can be shadowed
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_FOLDER = re.compile(r"[a-z][a-z0-9-]{0,63}\.[0-9a-f]{16}")
_KEYS = {"name", "summary", "version", "folder", "sha256"}
_LARGEST = 2**16  # bytes


@dataclass(frozen=True)
class Added:
    """A model that was added; `error` says why its entry cannot be read."""

    name: str
    summary: str = ""
    version: str = ""
    folder: str = ""  # within the model directory
    sha256: str = ""  # of model.yaml
    error: str = ""

    @property
    def attribute(self) -> str:
        """Name under which `crest_models.added` has it."""
        return PREFIX + self.name.replace("-", "_")

    def as_json(self) -> bytes:
        """Return the content of the entry's file."""
        return json.dumps({key: getattr(self, key) for key in sorted(_KEYS)}, indent=1).encode()


def models_directory() -> Path:
    """Return where models are added: CREST_MODELS, or the user's data folder."""
    given = os.environ.get("CREST_MODELS", "")
    return Path(given) if given else platformdirs.user_data_path("crest") / "models"


def added_models() -> Iterator[Added]:
    """Yield what was added, by name; an entry that cannot be read says why."""
    try:
        names = sorted(file.name for file in os.scandir(models_directory()))
    except FileNotFoundError:
        return
    for name in names:
        stem, dot, ending = name.rpartition(".")
        if dot and ending == "json" and _NAME.fullmatch(stem):
            yield read_entry(stem)


def entry_file(name: str) -> Path:
    """Return the file of one model's entry."""
    return models_directory() / f"{name}.json"


def read_entry(name: str) -> Added:
    """Return the entry of one model."""
    path = entry_file(name)
    try:
        with open(path, "rb") as file:
            values = json.loads(file.read(_LARGEST))
        if not isinstance(values, dict) or set(values) != _KEYS or not all(isinstance(v, str) for v in values.values()):
            raise ValueError(f"expected the texts {', '.join(sorted(_KEYS))}")
        if values["name"] != name or not _FOLDER.fullmatch(values["folder"]):
            raise ValueError("name or folder are not those of this model")
        return Added(**values)
    except (OSError, ValueError, RecursionError) as error:
        reason = f"the entry {path} of the added model {name!r} cannot be read: {error}"
        return Added(name, error=f"{reason}; `crest remove {name}`, then add it again")
