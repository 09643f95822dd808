"""Run file: YAML that says which components, forcing, period and outputs make a run.

Relative paths in it are relative to its folder. Faults are told by file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from safetensors import SafetensorError

from crest_core import CrestError, TimeError, parse_time, parse_timestep
from crest_core.plugins import near
from crest_run.errors import RunFileError
from crest_run.section import FilePath, Section, Sha256
from crest_run.store_section import StoreSection
from crest_run.yaml_lines import Place, line_of, read_yaml, where

# Of what a run file names: a word where a component expects an object gives an AttributeError.
_FAULTS = (TypeError, ValueError, LookupError, OSError, RuntimeError, AttributeError, ArithmeticError, SafetensorError)


def _numbers(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(number) in (int, float) for number in values):
        raise PydanticCustomError("numbers", "expected a number, or a list of numbers")
    return value


def _length(text: str) -> str:
    parse_timestep(text)
    return text


Numbers = Annotated[float | list[float], BeforeValidator(_numbers)]


class ComponentSection(Section):
    """One component of the graph."""

    use: str
    """Registered name of the component, as in `crest list --kind components`."""
    arguments: dict[str, Any] = Field(default={}, alias="with")
    """Arguments of its constructor."""
    parameters: dict[str, Numbers] = {}
    """Physical parameters in their own units; they overrule those in the weights."""
    weights: FilePath | None = None
    """Trained weights, a .safetensors file."""
    sha256: Sha256 | None = None
    """Sum of the weights; another file is refused before it is opened."""

    @model_validator(mode="after")
    def _of_weights(self) -> ComponentSection:
        if self.sha256 and self.weights is None:
            raise PydanticCustomError("choice", "the key sha256 belongs to weights")
        return self


class ConnectionSection(Section):
    """A connection that is not found, or not wanted, by standard name."""

    source: str = Field(alias="from")
    """component.field, or forcing.field."""
    target: str = Field(alias="to")
    """component.field."""
    lagged: bool = False
    """True: the value of the previous step; needed once in every loop."""
    initial: float | None = None
    """A lagged connection's value before the first step, in the units of the source."""
    water_density: float | None = None
    """Density [kg m-3] that turns water depth into water mass."""


class GraphSection(Section):
    """Components and the connections between them."""

    components: dict[str, ComponentSection] = Field(min_length=1)
    """Components by their names in this graph."""
    connections: list[ConnectionSection] = []
    """Connections; all others are found by standard name."""


class ForcingSection(Section):
    """Where the forcing comes from: a data source, or a file."""

    source: str | None = None
    """Registered name of a data source, as in `crest list --kind data_sources`."""
    arguments: dict[str, Any] = Field(default={}, alias="with")
    """Arguments of the data source."""
    path: FilePath | None = None
    """A NetCDF file that follows the CF conventions."""
    sha256: Sha256 | None = None
    """Sum of the file at path; another file is refused before it is opened."""

    @model_validator(mode="after")
    def _one(self) -> ForcingSection:
        if (self.source is None) == (self.path is None):
            raise PydanticCustomError("choice", "expected one of the keys source and path")
        if self.sha256 and self.path is None:
            raise PydanticCustomError("choice", "the key sha256 belongs to path; files of a source have a catalogue")
        if self.path and self.arguments:
            raise PydanticCustomError("choice", "the key with belongs to source, not to path")
        return self


class PeriodSection(Section):
    """The run covers [start, end)."""

    start: str
    """First day or time, as 2014-01-01 or 2014-01-01T06:00."""
    end: str
    """The end, itself excluded."""


class OutputSection(Section):
    """What a run leaves behind."""

    store: StoreSection | None = None
    """Store that a run is written to while it runs, and from which it goes on."""

    path: FilePath | None = None
    """NetCDF file of the results."""
    fields: list[str] = []
    """Names of the outputs to keep; all where the list is empty."""
    restart: FilePath | None = None
    """The state after the last step, a .safetensors file."""
    record: FilePath | None = None
    """Versions, hashes and seed of the run, a .json file."""

    @model_validator(mode="after")
    def _one(self) -> OutputSection:
        beside = next((key for key in ("path", "restart", "record") if getattr(self, key) is not None), None)
        if self.store and beside:
            text = "the store holds results, restart and record; leave out {key}"
            raise PydanticCustomError("choice", text, {"key": beside})
        return self


class RunFile(Section):
    """A run: graph, forcing, period and outputs."""

    graph: GraphSection
    """What is run."""
    forcing: ForcingSection
    """What drives it."""
    period: PeriodSection | None = None
    """When; by default all of the forcing."""
    calendar: Literal["standard", "proleptic_gregorian", "noleap", "360_day"] = "standard"
    """Calendar of all dates."""
    window: Annotated[str, AfterValidator(_length)] = "365D"
    """Length of the time windows that are read, run and written at once."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Seed of all that is drawn at random, such as weights that are not loaded from a file."""
    dtype: Literal["float32", "float64"] = "float32"
    """Number type of the tensors."""
    output: OutputSection = OutputSection()
    """Where results go."""
    resume: FilePath | None = None
    """A restart to go on from, at its time; period.start tells where the experiment began."""

    accept: list[Literal["parameters", "forcing", "places"]] = []
    """What may differ from the run that wrote the restart of the key resume; nothing where the list is empty."""

    _file: str = PrivateAttr("run file")
    _lines: dict[Place, int] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _resuming(self) -> RunFile:
        if self.accept and not self.resume:
            text = "the key accept belongs to the key resume; a run with a store has --from CYCLE and --branch NAME"
            raise PydanticCustomError("choice", text, {"at": ("accept",)})
        return self

    @model_validator(mode="after")
    def _dates(self) -> RunFile:
        times = []
        for key in ("start", "end") if self.period else ():
            try:
                times.append(parse_time(getattr(self.period, key), self.calendar))
            except TimeError as error:
                at = {"text": str(error), "at": ("period", key)}
                raise PydanticCustomError("time", "{text}", at) from error
        if times and times[0] >= times[1]:
            text = f"the end {times[1]} is excluded and must lie after the start {times[0]}; move one of them"
            raise PydanticCustomError("time", "{text}", {"text": text, "at": ("period", "end")})
        return self

    @property
    def file(self) -> str:
        """Name of the file that the run was read from."""
        return self._file

    def where(self, *place: str | int) -> str:
        """Return "file:line: key" for messages."""
        return where(self._file, self._lines, place)

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Put file, line and key before the message of any error inside."""
        try:
            yield
        except CrestError as error:
            raise type(error)(f"{self.where(*place)}: {error}") from error
        except _FAULTS as error:
            raise RunFileError(f"{self.where(*place)}: {type(error).__name__}: {error}") from error


def load_run(path: str | Path) -> RunFile:
    """Return the run file, checked; RunFileError lists all faults by file, line and key."""
    path = Path(path)
    data, lines = read_yaml(path)
    return check_run(str(path), data, lines, path.parent)


def check_run(file: str, data: Any, lines: dict[Place, int], folder: Path) -> RunFile:
    """Return plain values of a file as a run, checked; paths in them are relative to the folder."""
    try:
        run = RunFile.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        faults = sorted(_fault(file, lines, detail) for detail in error.errors())
        raise RunFileError("\n".join(text for _, text in faults)) from error
    run._file, run._lines = file, lines
    return run


def _fault(file: str, lines: dict[Place, int], detail: ErrorDetails) -> tuple[int, str]:
    """Return line and message of one fault."""
    context = detail.get("ctx", {})
    place = (*detail["loc"], *context.get("at", ()))
    kind, got = detail["type"], detail["input"]
    text = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if kind == "extra_forbidden":
        known = _keys(place[:-1])
        text = f"unknown key; allowed: {', '.join(known)}{near(str(place[-1]), known)}"
    elif kind == "missing":
        text = "missing key"
    elif kind in ("model_type", "dict_type"):
        text = f"expected the keys {', '.join(_keys(place)) or 'name: value'}, got {got!r}"
    elif kind not in ("value_error", "time", "choice"):
        text += f", got {got!r}"
    if kind == "literal_error":
        text += near(str(got), re.findall(r"'(\w+)'", context["expected"]))
    return line_of(lines, place), f"{where(file, lines, place)}: {text}"


def _keys(place: Place) -> list[str]:
    """Return the known keys at a place, as the JSON Schema has them."""
    schema = RunFile.model_json_schema()
    node = schema
    for part in place:
        node = node.get("properties", {}).get(part) or node.get("additionalProperties") or node["items"]
        node = node.get("anyOf", [node])[0]
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return list(node.get("properties", {}))
