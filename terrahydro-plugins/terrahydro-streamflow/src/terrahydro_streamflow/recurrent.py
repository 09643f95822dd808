"""RecurrentStreamflow: what both LSTMs share: ports, scaling, lagged discharge, head, and states in sight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, SequenceComponent, Sizes, Tensors
from terrahydro_streamflow.heads import make_head
from terrahydro_streamflow.lagged import check_gaps, filled_and_flagged, gaps
from terrahydro_streamflow.ports import (
    FLUX,
    KRATZERT_ATTRIBUTES,
    LAGGED,
    MAURER_FORCING,
    RUNOFF,
    attribute_ports,
    forcing_ports,
    lagged_port,
    runoff_port,
)
from terrahydro_streamflow.scaling import FieldScaling

FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)
RADIUS = 0.12
"""Spectral radius of the recurrent weights at the start.

With gates half open and a memory of 1 / (1 - 0.95) = 20 days, h of a day enters that of later ones by 0.5 * 0.5 * 20
times the radius, here 0.6. Weights uniform within 1 / sqrt(hidden), as is usual, have a radius of 0.58: 2.9, and the
network begins chaotic, with gradients over a year that point nowhere for the first hundreds of batches.
"""
LOCATION = "runoff_location"
_STATES = ("hidden", "memory")
_PARTS = {
    "location": (FLUX, None, "mean of a normal part, mode of an asymmetric Laplacian one"),
    "scale": (FLUX, (0.0, float("inf")), "standard deviation of a normal part, scale of an asymmetric Laplacian one"),
    "asymmetry": ("1", (0.0, 1.0), "0.5 is symmetric"),
    "weight": ("1", (0.0, 1.0), "they sum to 1"),
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """Settings of a recurrent streamflow model.

    `lagged` adds the input runoff_flux_lagged, discharge observed before the step, nan where it is missing. While
    training, the share `hold_out` of it is taken away at random, in gaps of `hold_out_length` steps on average (None:
    each step for itself): drawn from torch's own stream, or see `hold_out_with`.

    `attribute_noise` is the standard deviation, in those of the attributes by `standardise`, of normal noise that is
    added to them while training, anew for each sample and call: a network that knows its basins by their attributes
    learns them by heart, and fails at others. Bishop (1995), doi:10.1162/neco.1995.7.1.108.
    """

    hidden: int = 256
    dropout: float = 0.4
    forcing: Sequence[str] = MAURER_FORCING
    attributes: Mapping[str, str] | None = None  # {name: units}; None: the 27 of Kratzert et al. (2019)
    head: str = "point"  # or gaussian-mixture, cmal
    mixture: int = 3
    lagged: bool = False
    hold_out: float = 0.0
    hold_out_length: float | None = None
    attribute_noise: float = field(default=0.0, repr=False)  # changes no answer, so it is no part of the graph hash


class RecurrentStreamflow(SequenceComponent):
    """Runoff = std * head(h) + mean, h from a recurrent layer that a leaf of this class brings.

    With lagged discharge q the location of the answer is head(h) + sigmoid(w h + b) q: h is within (-1, 1) and cannot
    carry a large discharge over a day, the share that stays can; as a recession does, it depends on the state. Where q
    is missing, head(h) stands alone.

    Two leaves: StreamflowLSTM and StreamflowEALSTM. A step is a sequence of one day: torch.lstm_cell would round
    otherwise than the kernel of a sequence, by 6e-6 in the entity-aware one in float32.
    """

    def __init__(self, network: Network, generator: torch.Generator | None = None) -> None:
        super().__init__()
        check_gaps(network.hold_out, network.hold_out_length)
        _check_numbers(network)
        attributes = KRATZERT_ATTRIBUTES if network.attributes is None else network.attributes
        self.network = network
        self.draws: torch.Generator | None = None
        self.moving = tuple(spec.name for spec in forcing_ports(network.forcing)) + ((LAGGED,) * network.lagged)
        self.static = tuple(attributes)
        lag = (lagged_port(),) * network.lagged
        self.inputs = (*forcing_ports(network.forcing), *lag, *attribute_ports(attributes))
        self.scaling = FieldScaling((*self.moving, *self.static, RUNOFF.name), owner="streamflow")
        self.dropout = nn.Dropout(network.dropout)
        self.head = make_head(network.head, network.hidden, network.mixture)
        self.outputs = (runoff_port(), *(_part_port(part) for part in self.head.parts))
        self.states = tuple(_state_port(name) for name in _STATES)
        self.dim_sizes = {"streamflow_unit": network.hidden}
        self.dim_sizes |= {"mixture": network.mixture} if self.head.parts else {}
        _draw_linear(self.head, generator)
        self.carry = nn.Linear(network.hidden, 1) if network.lagged else None
        if self.carry:
            _draw_linear(self.carry, generator)

    @property
    def features(self) -> int:
        """How many features of a day the layer takes: forcing, lagged discharge and its flag."""
        return len(self.moving) + self.network.lagged

    def extra_repr(self) -> str:
        """Return settings and inputs, for print and the graph hash."""
        return f"{self.network!r}\ninputs {[spec.name for spec in self.inputs]}, forget bias {FORGET_BIAS!r}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of inputs and runoff, from the training part.

        Where they are not named, runoff goes as the location of its distribution, and lagged discharge as runoff.
        """
        for name, like in ((RUNOFF.name, LOCATION), (LAGGED, RUNOFF.name))[: 1 + self.network.lagged]:
            mean, std = ({name: one[like], **one} if like in one else one for one in (mean, std))
        self.scaling.standardise(mean, std, self.outputs)

    def hold_out_with(self, generator: torch.Generator) -> None:
        """Draw what is held out from `generator` from now on, and not from torch's own stream, as dropout does.

        Whoever hands it in keeps its state in the checkpoints of the training.
        """
        self.draws = generator

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs of all steps, state) of one call of the layer."""
        moving, static, columns = self._packed(inputs)
        hidden, memory = (_to_columns(state[name]) for name in _STATES)
        if len(times):
            answers, hidden, memory = self.run_layer(moving, static, hidden, memory)
        else:
            answers = hidden.new_zeros(0, *hidden.shape)
        dtype = moving.dtype
        lagged = moving[..., -2:].unflatten(1, columns) if self.network.lagged else None
        outputs = self._outputs(answers.to(dtype).unflatten(1, columns), lagged)
        return outputs, self._state(hidden.to(dtype), memory.to(dtype), columns)

    @abstractmethod
    def run_layer(
        self, moving: Tensor, static: Tensor, hidden: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (h (time, column, hidden), last h, last c); moving (time, column, .), static (column, .)."""

    def _packed(self, inputs: Tensors) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """Return scaled (time, column, feature), (column, attribute), and the shape of the columns (*lead, cell)."""
        shape = inputs[self.moving[0]].shape
        columns = tuple(shape[1:])
        given = {name: inputs[name].expand(shape) for name in self.moving}
        scaled = self.scaling.stacked(given, self.moving).reshape(shape[0], prod(columns), len(self.moving))
        if self.network.lagged:
            value, flag = filled_and_flagged(self._held_out(scaled[..., -1]))
            scaled = torch.cat([scaled[..., :-1], torch.stack([value, flag], dim=-1)], dim=-1)
        if not self.static:
            return scaled, scaled.new_zeros(prod(columns), 0), columns
        fixed = {name: inputs[name].expand(columns) for name in self.static}
        static = self.scaling.stacked(fixed, self.static).reshape(prod(columns), len(self.static))
        if self.training and self.network.attribute_noise:
            static = static + self.network.attribute_noise * torch.randn_like(static)
        return scaled, static, columns

    def _held_out(self, scaled: Tensor) -> Tensor:
        """Return lagged discharge (time, column) with nan where it is held out, while training only."""
        network = self.network
        if not self.training or network.hold_out == 0.0:
            return scaled
        held = gaps(*scaled.shape, fraction=network.hold_out, length=network.hold_out_length, generator=self.draws)
        return scaled.masked_fill(held.to(scaled.device), float("nan"))

    def _outputs(self, hidden: Tensor, lagged: Tensor | None) -> Tensors:
        """Return runoff, and the parts of its distribution, of (..., *lead, cell, hidden) and (.., value and flag)."""
        mean, std = self.scaling.moments(RUNOFF.name)
        with torch.autocast(hidden.device.type, enabled=False):
            parts = self.head(self.dropout(hidden))
            if lagged is not None and self.carry:
                carried = torch.sigmoid(self.carry(hidden)) * lagged[..., :1] * (1.0 - lagged[..., 1:])
                parts = {**parts, "location": parts["location"] + carried}
            runoff = self.head.point(parts) * std + mean
        runoff = runoff if self.training else runoff.clamp(min=0.0)
        outputs = {RUNOFF.name: runoff}
        for name in self.head.parts:
            value = parts[name]
            if name == "location":
                value = value * std + mean
            elif name == "scale":
                value = value * std
            outputs[f"runoff_{name}"] = value.movedim(-1, -2).contiguous()
        return outputs

    def _state(self, hidden: Tensor, memory: Tensor, columns: Sequence[int]) -> Tensors:
        return {name: _from_columns(value, columns) for name, value in zip(_STATES, (hidden, memory), strict=True)}


def _part_port(part: str) -> FieldSpec:
    units, bounds, doc = _PARTS[part]
    return FieldSpec(name=f"runoff_{part}", units=units, dims=("mixture", "cell"), bounds=bounds, doc=doc)


def _state_port(name: str) -> FieldSpec:
    doc = {"hidden": "h, the output gate's answer", "memory": "c, the cell state"}[name]
    return FieldSpec(name=name, units="1", dims=("streamflow_unit", "cell"), cell_methods="time: point", doc=doc)


@torch.no_grad()
def _draw_linear(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw weights and biases within 1 / sqrt(inputs), as torch does, from the generator."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            for parameter in (layer.weight, layer.bias):
                parameter.uniform_(-(layer.in_features**-0.5), layer.in_features**-0.5, generator=generator)


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, unit, cell) as (lead * cell, unit)."""
    return value.movedim(-2, -1).flatten(0, -2).contiguous()


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (lead * cell, unit) as (*lead, unit, cell)."""
    return value.reshape(*columns, value.shape[-1]).movedim(-1, -2).contiguous()


def _check_numbers(network: Network) -> None:
    noise, share = network.attribute_noise, network.dropout
    if type(network.hidden) is not int or network.hidden < 1:
        raise FieldError(f"hidden {network.hidden!r}: expected a whole number of units, 1 or more")
    if type(share) not in (int, float) or not 0.0 <= share < 1.0:
        raise FieldError(f"dropout {share!r}: expected a share from 0 to below 1")
    if type(noise) not in (int, float) or not 0.0 <= noise < float("inf"):
        raise FieldError(f"attribute_noise {noise!r}: expected 0 or more, in standard deviations of attributes")
