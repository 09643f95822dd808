"""EvaluationData: forcing and observations that a model is scored on, from a file with the keys of run files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from crest_core import Component, CrestError, FieldSpec, line_of_key, read_plain_yaml
from crest_core.plugins import near
from crest_training.datasets import Datasets
from crest_training.ports import as_fields

Place = tuple[str | int, ...]
KEYS = ("forcing", "observations", "inputs", "calendar", "dtype")


class EvaluationDataError(CrestError, ValueError):
    """A file of evaluation data that does not say where data come from."""


@dataclass(frozen=True)
class EvaluationData:
    """Where forcing and observations come from, written as in run files; `inputs` names variables by field."""

    file: str
    data: dict[str, Any]
    lines: dict[Place, int]

    def fields_of(self, model: Component, output: FieldSpec, variable: str) -> tuple[xr.Dataset, xr.DataArray]:
        """Return the inputs of a model, and what was observed of one of its outputs, in its names and units."""
        held = Datasets(self.file, self.data, self.lines)
        with self.at("inputs"):
            inputs = as_fields(held.forcing, model.inputs, self.data.get("inputs") or {}, "input")
        with self.at("observations"):
            names = {output.name: variable} if variable else {}
            return inputs, as_fields(held.observations, [output], names, "output")[output.name]

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Put file, line and key before the message of an error inside."""
        try:
            yield
        except CrestError as error:
            raise EvaluationDataError(f"{_where(self.file, self.lines, place)}: {error}") from error


def load_evaluation_data(path: str | Path) -> EvaluationData:
    """Return the data of a file with the key `forcing`; EvaluationDataError names file, line and key."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvaluationDataError(f"--data {path}: cannot be read: {error.strerror}") from error
    data, lines = read_plain_yaml(
        str(path),
        content,
        error=EvaluationDataError,
        where=lambda known, place: _where(str(path), known, place),
        expected=f"the keys {', '.join(KEYS)}",
    )
    if not isinstance(data, dict):
        raise EvaluationDataError(f"{path}: expected the keys {', '.join(KEYS)}, got {data!r}")
    for key in data:
        if key not in KEYS:
            hint = f"allowed: {', '.join(KEYS)}{near(str(key), KEYS)}"
            raise EvaluationDataError(f"{_where(str(path), lines, (key,))}: unknown key; {hint}")
    for key in ("forcing", "observations", "inputs"):
        if (key in data or key == "forcing") and not isinstance(data.get(key), dict):
            place = _where(str(path), lines, (key,))
            raise EvaluationDataError(f"{place}: expected a mapping, as in run files, got {data.get(key)!r}")
    return EvaluationData(str(path), data, lines)


def _where(file: str, lines: dict[Place, int], place: Place) -> str:
    return f"{file}:{line_of_key(lines, place)}: {'.'.join(map(str, place)) or 'data'}"
