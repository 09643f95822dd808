"""The keys of `model.yaml`: each section with its types and limits; what holds between keys is in `checks`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from crest_core import FieldSpec, TensorMap, conversion, parse_timestep
from crest_models.plain_files import check_name

NAME = r"[a-z][a-z0-9-]{0,63}"
_SETTING = re.compile(r"(?:[A-Za-z0-9_ ^*+%°,=()-]|(?<=[0-9])\.|\.(?=[0-9])){0,200}")
_LICENCE = re.compile(r"\(*[A-Za-z0-9.+-]+\)*( (AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*")


def _units(text: str) -> str:
    conversion(text, text)  # refuses what is no unit, and powers that would keep the parser busy
    return text


def _licence(text: str) -> str:
    if not _LICENCE.fullmatch(text):
        raise ValueError("expected an SPDX licence such as Apache-2.0, CC-BY-4.0 or LicenseRef-of-your-own")
    return text


def _timestep(text: str) -> str:
    parse_timestep(text)
    return text


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    """Refuse texts that could name a file, an address or code: a component might open what they name."""
    for key, value in values.items():
        for text in _texts(value):
            if not _SETTING.fullmatch(text):
                raise ValueError(
                    f"{key}: the text {text[:60]!r} could name a file or code, which a model folder may not; allowed "
                    f"are letters, digits, spaces and _-+*^%,=(), and units as 'mm day-1'"
                )
    return values


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts inside a setting, the keys of mappings too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (*_texts(key), *_texts(one))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\n\t]*\S[^\n\t]*$")]
Text = Annotated[str, Field(max_length=4000)]
Key = Annotated[str, Field(max_length=100)]
Dim = Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Units = Annotated[str, Field(max_length=64), AfterValidator(_units)]


class Section(BaseModel):
    """A mapping of the file, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FieldSection(Section):
    """One field, with the keys of FieldSpec."""

    name: Dim
    units: Units
    standard_name: Annotated[str, Field(max_length=200, pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$")] = ""
    dims: Annotated[list[Dim], Field(max_length=8)] = ["cell"]
    cell_methods: Annotated[str, Field(max_length=100)] = "time: mean"
    vertical: Pair | None = None
    window: Annotated[int, Field(ge=1, le=100_000)] = 1
    static: bool = False
    bounds: Annotated[list[Annotated[float, Field(allow_inf_nan=True)]], Field(min_length=2, max_length=2)] | None = (
        None
    )
    gaps: bool = False
    positive: Literal["", "up", "down"] = ""
    doc: Text = ""

    @model_validator(mode="after")
    def _is_a_field(self) -> FieldSection:
        self.spec()
        return self

    def spec(self) -> FieldSpec:
        """Return the field."""
        values: dict[str, Any] = self.model_dump()
        pairs = {key: tuple(values[key]) for key in ("dims", "vertical", "bounds") if values[key] is not None}
        return FieldSpec(**(values | pairs))


class MapSection(Section):
    """Fields that go into one tensor of the network, or come out of it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    fields: Annotated[list[Key], Field(min_length=1, max_length=1000)]
    pattern: Annotated[str, Field(max_length=200)] = "time ... -> time (...) field"

    @model_validator(mode="after")
    def _is_a_map(self) -> MapSection:
        try:
            TensorMap(self.name, self.fields, self.pattern)
        except RuntimeError as error:  # more axes than a tensor can have
            raise ValueError(f"the pattern {self.pattern!r} cannot be used: {error}") from error
        return self


class WeightsSection(Section):
    """The one file beside `model.yaml`."""

    file: Annotated[str, AfterValidator(check_name)]
    sha256: Sha256
    size: Annotated[int, Field(ge=0)] | None = None  # bytes


class ComponentSection(Section):
    """A component of an installed package, in the place of a backend."""

    name: Annotated[str, Field(pattern=rf"^{NAME}$")]
    package: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    version: Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z][0-9A-Za-z.+!-]*$")]
    structure: Sha256  # of what it says of itself: fields, ranges, settings
    settings: Annotated[dict[Key, Any], AfterValidator(_settings)] = {}
    dtype: Literal["float32", "float64"] | None = None


class StatisticsSection(Section):
    """What a field was scaled with in training: (value - mean) / std, in `units`."""

    mean: float
    std: PositiveFloat
    units: Units


class TrainingSection(Section):
    """Where the numbers come from."""

    data: Annotated[str, Field(min_length=1, max_length=4000)]
    period: Annotated[list[Line], Field(min_length=2, max_length=2)]
    seed: int | None = None
    skill: dict[Key, Any] = {}


class ModelSection(Section):
    """The whole file."""

    crest_model: Literal[1]
    name: Annotated[str, Field(pattern=rf"^{NAME}$")]
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+-]{0,31}$")]
    summary: Line
    description: Text = ""
    backend: str = ""
    component: ComponentSection | None = None
    options: dict[Key, Any] = {}
    weights: WeightsSection
    timestep: Annotated[str, Field(max_length=20), AfterValidator(_timestep)]
    inputs: Annotated[list[FieldSection], Field(min_length=1, max_length=1000)]
    outputs: Annotated[list[FieldSection], Field(min_length=1, max_length=1000)]
    states: Annotated[list[FieldSection], Field(max_length=1000)] = []
    dim_sizes: dict[Dim, Annotated[int, Field(ge=1, le=1_000_000)]] = {}
    layers: dict[Dim, Annotated[list[Pair], Field(min_length=1, max_length=1000)]] = {}
    input_maps: Annotated[list[MapSection], Field(max_length=1000)] = []
    output_maps: Annotated[list[MapSection], Field(max_length=1000)] = []
    state_maps: Annotated[list[MapSection], Field(max_length=1000)] = []
    scaling: dict[Key, StatisticsSection] = {}
    training: TrainingSection
    licence: Annotated[str, Field(max_length=200), AfterValidator(_licence)]
    citation: Annotated[str, Field(min_length=1, max_length=4000)]


class TorchLSTMOptions(Section):
    """The architecture of the backend "torch-lstm"."""

    hidden: Annotated[int, Field(ge=1, le=65_536)]
    layers: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    prefix: Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z0-9_]*$")] = "lstm_"


class OnnxOptions(Section):
    """The new states among the results of an ONNX graph, in the order of `state_maps`, and how gradients are found."""

    state_outputs: Annotated[list[Key], Field(max_length=1000)] = []
    gradient: Literal["exact", "finite_difference", "none"] = "exact"
    step: Annotated[float, Field(gt=0, lt=1)] = 1e-2  # of finite differences, a share of each field's size


class NoOptions(Section):
    """A network that says all itself; it returns its states after its results."""
