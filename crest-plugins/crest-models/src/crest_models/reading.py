"""Read `model.yaml`: what is wrong with it is told at once, by file, line and key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from crest_core import CrestError
from crest_models.checks import check
from crest_models.errors import ModelError
from crest_models.faults import faults_of
from crest_models.plain_files import read_plain
from crest_models.schema import ModelSection
from crest_models.yaml_lines import Place, line_of, read_yaml, where

MODEL_FILE = "model.yaml"
_LARGEST_YAML = 2**18  # bytes
_LARGEST_WEIGHTS = 2**30
_SHOWN = 20  # faults in one message
# What libraries raise on odd weights and odd arguments; CrestErrors keep their words.
_FAULTS = (TypeError, ValueError, LookupError, OSError, RuntimeError, AttributeError, ArithmeticError, MemoryError)


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose `model.yaml` was read and checked, the lines of its keys, and its bytes."""

    path: Path
    keys: ModelSection
    lines: dict[Place, int]
    content: bytes

    @property
    def sha256(self) -> str:
        """Hash of `model.yaml`, which holds that of the weights."""
        return hashlib.sha256(self.content).hexdigest()

    def where(self, *place: str | int) -> str:
        """Return "file:line: key" for messages."""
        return where(str(self.path / MODEL_FILE), self.lines, place)

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Put file, line and key before the message of any error inside."""
        try:
            yield
        except CrestError as error:
            raise ModelError(f"{self.where(*place)}: {error}") from error
        except _FAULTS as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{self.where(*place)}: {type(error).__name__}: {reason}") from error

    def read_weights(self) -> bytes:
        """Return the content of the weights file, whose sha256 is the one in `model.yaml`."""
        with self.at("weights", "file"):
            content = read_plain(self.path, self.keys.weights.file, _LARGEST_WEIGHTS, self.keys.weights.size)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.keys.weights.sha256:
            raise ModelError(
                f"{self.where('weights', 'sha256')}: {self.keys.weights.file} has another sha256, {digest}; it was "
                f"changed or damaged, or is of another version: take the folder anew from its author"
            )
        return content


def read_folder(folder: str | Path) -> ModelFolder:
    """Return a model folder, `model.yaml` checked; ModelError lists all faults by file, line and key."""
    path = Path(folder)
    if not path.is_dir():
        raise ModelError(f"model folder {path}: no such folder; expected one with {MODEL_FILE} and a weights file")
    file = str(path / MODEL_FILE)
    content = read_plain(path, MODEL_FILE, _LARGEST_YAML)
    data, lines = read_yaml(file, content)
    try:
        keys = ModelSection.model_validate(data)
        faults = list(check(keys))
    except ValidationError as error:
        faults = list(faults_of(error, ModelSection))
    if faults:
        faults.sort(key=lambda fault: line_of(lines, fault[0]))
        told = [f"{where(file, lines, place)}: {text}" for place, text in faults[:_SHOWN]]
        more = [f"{file}: {len(faults) - _SHOWN} faults more"] if len(faults) > _SHOWN else []
        raise ModelError("\n".join(told + more))
    return ModelFolder(path, keys, lines, content)
