"""The sections of a training file: their keys, types and limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def as_tuple(value: Any) -> Any:
    """Return a list of YAML as a tuple, which strict types ask for."""
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A mapping of the file, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class NetworkSection(Section):
    """An LSTM with a linear head (backend torch-lstm), where nothing registered is trained."""

    inputs: list[dict[str, Any]] = Field(min_length=1)
    """Fields, with the keys of FieldSpec: name, units, standard_name, static, ..."""
    outputs: list[dict[str, Any]] = Field(min_length=1)
    """Fields that it answers."""
    hidden: Annotated[int, Field(ge=1)]
    """Number of its memory cells."""
    layers: Annotated[int, Field(ge=1)] = 1
    """Number of its layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the values before the head that are left out in training."""


class SamplesSection(Section):
    """How samples are cut: windows of `spin_up` + `steps`."""

    steps: Annotated[int, Field(ge=1)]
    """Scored steps of a window."""
    spin_up: Annotated[int, Field(ge=0)] = 0
    """Steps before them that are run and not scored; they may lie before the period."""
    every: Annotated[int, Field(ge=1)] = 1
    """Every how many steps a window may begin, counted from the first step of the data."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Samples of a batch."""
    inputs: dict[str, str] = {}
    """Variables of the forcing by the inputs of the model, where their names differ."""


class PeriodSection(Section):
    """The scored steps lie in [start, end)."""

    start: str
    """First day or time."""
    end: str
    """The end, itself excluded."""

    @model_validator(mode="after")
    def _order(self) -> PeriodSection:
        if self.start >= self.end:  # ISO dates sort as text
            raise PydanticCustomError("choice", "expected a start before the end, which is itself excluded")
        return self

    @property
    def dates(self) -> tuple[str, str]:
        """Start and end."""
        return self.start, self.end


class ObjectiveSection(Section):
    """One stream of observations and its loss."""

    output: str
    """Output of the model; the prefix of its parameters for gaussian-mixture and cmal."""
    variable: str | None = None
    """Variable of the observations; by default that of the output's name."""
    loss: Literal["mse", "rmse", "mae", "nse", "quantile", "gaussian-mixture", "cmal"] = "mse"
    """nse is NSE*: squared errors by the spread of each place."""
    levels: Numbers = ()
    """Levels of the loss quantile."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight among the objectives."""
    space: Literal["standardised", "physical", "log", "root"] = "standardised"
    """Where values are compared; log and root add `offset` first, in the units of the output."""
    offset: Annotated[float, Field(gt=0)] = 0.1
    """Added before logarithm and root."""

    @property
    def is_likelihood(self) -> bool:
        """True where `output` is the prefix of the outputs of a distribution."""
        return self.loss in ("gaussian-mixture", "cmal")

    @model_validator(mode="after")
    def _levels(self) -> ObjectiveSection:
        if bool(self.levels) != (self.loss == "quantile"):
            raise PydanticCustomError("choice", "expected the key levels with the loss quantile, and with no other")
        if self.loss == "nse" and self.space != "standardised":
            raise PydanticCustomError("choice", "the loss nse divides by the spread of places in standardised space")
        if self.is_likelihood and self.space != "standardised":
            raise PydanticCustomError("choice", "a likelihood is of the observations themselves; leave out the space")
        return self


class ScheduleSection(Section):
    """How the learning rates change."""

    name: Literal["constant", "step", "cosine", "one-cycle"] = "constant"
    """Kind of schedule."""
    at: Numbers = ()
    """Epochs at which `step` multiplies the rates with `factor`."""
    factor: Annotated[float, Field(gt=0)] = 0.1
    """Of `step`."""
    final: Share = 0.01
    """Share of the rate at the end of cosine and one-cycle."""
    rise: Share = 0.3
    """Share of training in which one-cycle rises."""
    warm_up: Annotated[float, Field(ge=0)] = 0.0
    """Epochs in which the rate rises from near 0."""


class OptimiserSection(Section):
    """How parameters are changed."""

    method: Literal["adam", "adamw"] = "adam"
    """adamw decays network weights."""
    network_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of networks."""
    physical_rate: Annotated[float, Field(gt=0)] = 1e-2
    """Learning rate of physical parameters."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of adamw."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the gradient."""
    schedule: ScheduleSection = ScheduleSection()
    """Of the learning rates."""


class StageSection(Section):
    """A component that is trained alone, on observed values of what other components will hand it."""

    component: str
    """Name of a component of the graph."""
    inputs: dict[str, str] = {}
    """Variables of the observations by those inputs, where their names differ."""
    objectives: list[ObjectiveSection] = Field(min_length=1)
    """What is scored of its outputs."""
    epochs: Annotated[int, Field(ge=1)]
    """Times that all samples are gone through."""
    optimiser: OptimiserSection | None = None
    """How its parameters are changed; by default as in the rest of the training."""


class ModelSection(Section):
    """What the card of the model says."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    """[a-z][a-z0-9-]*, the name of its folder."""
    version: str = "0.1"
    """Of the model."""
    summary: str
    """One line."""
    licence: str
    """SPDX identifier of the weights, which the licence of the data has to allow."""
    citation: str
    """How to cite it."""
    data: str
    """What it was trained on."""
