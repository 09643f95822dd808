"""Training file: YAML that says what is trained, on which samples, towards what, and where the model goes.

`graph`, `forcing`, `calendar` and `dtype` are those of run files, checked by crest-run. Relative paths are relative to
the folder of the file. Faults are told by file, line and key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from crest_core import CrestError, line_of_key, read_plain_yaml
from crest_core.plugins import near
from crest_training.train_sections import (
    ModelSection,
    Names,
    NetworkSection,
    ObjectiveSection,
    OptimiserSection,
    PeriodSection,
    SamplesSection,
    Section,
    StageSection,
    as_tuple,
)

Place = tuple[str | int, ...]


class TrainFileError(CrestError, ValueError):
    """A training file that does not follow its schema, or asks for what is not there."""


class TrainFile(Section):
    """A training: what, on which samples, towards what, and where to."""

    graph: dict[str, Any] | None = None
    """Components and connections, as in run files; all of it is trained together."""
    network: NetworkSection | None = None
    """An LSTM without code, in the place of graph."""
    forcing: dict[str, Any]
    """Where inputs come from, as in run files."""
    observations: dict[str, Any] | None = None
    """Where observations come from, written as forcing; by default the same dataset."""
    calendar: str = "standard"
    """Of all dates."""
    dtype: str = "float32"
    """Number type."""
    samples: SamplesSection
    """How windows are cut."""
    training: PeriodSection
    """Trained on; the statistics of scaling are of this period alone."""
    validation: PeriodSection | None = None
    """Chooses the epoch whose parameters are kept; no part of it may be the test period."""
    objectives: list[ObjectiveSection] = Field(min_length=1)
    """What is scored."""
    stages: list[StageSection] = []
    """Components that are trained alone before the graph is trained as a whole, in this order."""
    epochs: Annotated[int, Field(ge=1)]
    """Times that all samples are gone through."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Epochs without a better one after which training ends."""
    optimiser: OptimiserSection = OptimiserSection()
    """How parameters are changed."""
    frozen: Names = ()
    """Components that stay as they are."""
    segment: Annotated[int, Field(ge=1)] | None = None
    """Steps after which gradients are cut, for windows that do not fit into memory."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16 is used if the first batch shows that it is accurate."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], BeforeValidator(as_tuple), Field(min_length=1)]
    """A model is trained for each, in a folder of its own."""
    folder: Path = Field(strict=False)
    """Where checkpoints, logs and models go: `seed-<n>` for each seed."""
    checkpoint_every: Annotated[int, Field(ge=1)] | None = None
    """Batches between checkpoints; by default one an epoch."""
    events: bool = False
    """Write event files for TensorBoard."""
    model: ModelSection
    """What the card says."""

    _file: str = PrivateAttr("training file")
    _lines: dict[Place, int] = PrivateAttr(default_factory=dict)
    _data: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> TrainFile:
        if (self.graph is None) == (self.network is None):
            raise PydanticCustomError("choice", "expected one of the keys graph and network")
        if len(set(self.seeds)) != len(self.seeds):
            raise PydanticCustomError("choice", "seeds: expected each seed once")
        return self

    @property
    def file(self) -> str:
        """Name of the file."""
        return self._file

    @property
    def data(self) -> dict[str, Any]:
        """Its plain values."""
        return self._data

    @property
    def lines(self) -> dict[Place, int]:
        """The line of each key."""
        return self._lines

    @property
    def target(self) -> Path:
        """The folder that is written to."""
        return Path(self._file).parent / self.folder

    def distribution_of(self, output: str, variable: str | None) -> str:
        """Return the prefix of the likelihood that is trained on what an output is compared with, "" without one."""
        for one in self.objectives:
            same = variable is not None and one.variable == variable
            if one.is_likelihood and (same or output == one.output or output.startswith(f"{one.output}_")):
                return one.output
        return ""

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Put file, line and key before the message of an error inside."""
        try:
            yield
        except CrestError as error:
            raise TrainFileError(f"{_where(self._file, self._lines, place)}: {error}") from error


def load_train_file(path: str | Path, changes: dict[str, Any] | None = None) -> TrainFile:
    """Return a training file, checked; `changes` of keys ("optimiser.network_rate") overrule it.

    TrainFileError lists all faults by file, line and key.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainFileError(f"{path}: cannot be read: {error.strerror}") from error
    data, lines = read_plain_yaml(
        str(path),
        content,
        error=TrainFileError,
        where=lambda known, place: _where(str(path), known, place),
        expected="the keys network or graph, forcing, samples, training, objectives, epochs, seeds, folder, model",
    )
    for key, value in (changes or {}).items():
        if not isinstance(data, dict):
            raise TrainFileError(f"{path}: expected keys, got a list")
        _change(data, key.split("."), value, key)
    try:
        found = TrainFile.model_validate(data)
    except ValidationError as error:
        faults = sorted(_fault(str(path), lines, detail) for detail in error.errors())
        raise TrainFileError("\n".join(text for _, text in faults)) from error
    found._file, found._lines, found._data = str(path), lines, data
    return found


def _change(data: Any, keys: list[str], value: Any, whole: str) -> None:
    for key in keys[:-1]:
        data = data.setdefault(key, {}) if isinstance(data, dict) else None
        if not isinstance(data, dict):
            raise TrainFileError(f"--set {whole}: {key} holds no keys; expected KEY.KEY=VALUE of the training file")
    data[keys[-1]] = value


def _where(file: str, lines: dict[Place, int], place: Place) -> str:
    return f"{file}:{line_of_key(lines, place)}: {'.'.join(map(str, place)) or 'training'}"


def _fault(file: str, lines: dict[Place, int], detail: ErrorDetails) -> tuple[int, str]:
    """Return line and message of one fault."""
    place, kind, got = detail["loc"], detail["type"], detail["input"]
    text = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if kind == "extra_forbidden":
        known = _keys(place[:-1])
        text = f"unknown key; allowed: {', '.join(known)}{near(str(place[-1]), known)}"
    elif kind == "missing":
        text = "missing key"
    elif kind != "choice":
        text += f", got {got!r}"
    return line_of_key(lines, place), f"{_where(file, lines, place)}: {text}"


def _keys(place: Place) -> list[str]:
    """Return the known keys at a place, as the JSON Schema has them."""
    schema = TrainFile.model_json_schema()
    node = schema
    for part in place:
        node = node.get("properties", {}).get(part) or node.get("items", {})
        node = node.get("anyOf", [node])[0]
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return list(node.get("properties", {}))
