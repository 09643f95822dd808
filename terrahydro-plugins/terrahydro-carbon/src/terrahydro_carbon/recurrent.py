"""RecurrentNEE: an LSTM over weather and climate of a site; what its answers mean is the business of a leaf."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, SequenceComponent, Sizes, Tensors
from terrahydro_carbon.ports import GPP, NEE, OUTPUTS, RECO, ROOT_ZONE, attribute_ports, driver_ports
from terrahydro_carbon.scaling import FieldScaling

FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)
RADIUS = 0.12  # spectral radius of the recurrent weights at the start, so that an untrained network is not chaotic
_STATES = ("hidden", "memory")


class RecurrentNEE(SequenceComponent):
    """NEE = RECO - GPP, both from the hidden state of one LSTM for all sites; leaves: LightResponseNEE, LSTMNEE.

    The network sees all drivers but those `unseen`. Soil moisture that it sees and that is not known (nan) counts as
    its mean, with a flag beside it. `direct` units tanh(V x + v) of the day itself go to the head beside the hidden
    state, which is slow: what a day asks for need not go through it.
    """

    outputs = OUTPUTS
    conserves = ()

    def __init__(
        self,
        *,
        answers: int,
        hidden: int,
        direct: int,
        dropout: float,
        drivers: Sequence[str],
        unseen: Sequence[str] = (),
        attributes: Mapping[str, str] | None,
        attribute_noise: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        _check_numbers(hidden, direct, dropout, attribute_noise)
        moving, static = driver_ports(drivers), attribute_ports(dict(attributes or {}))
        self.inputs = (*moving, *static)
        self.moving = tuple(one.name for one in moving if one.name not in unseen)
        self.static = tuple(one.name for one in static)
        self.attribute_noise = attribute_noise
        self.dim_sizes = {"carbon_unit": hidden}
        self.states = tuple(_state_port(name) for name in _STATES)
        self.scaling = FieldScaling((*self.moving, *self.static), owner="carbon")
        features = len(self.moving) + len(self.static) + (ROOT_ZONE in self.moving)
        self.lstm = nn.LSTM(features, hidden)
        self.dropout = nn.Dropout(dropout)
        self.direct = nn.Linear(features, direct) if direct else None
        self.head = nn.Linear(hidden + direct, answers)
        self._start(generator)

    @abstractmethod
    def fluxes(self, answers: Tensor, inputs: Tensors) -> tuple[Tensor, Tensor]:
        """Return (GPP, RECO) [g m-2 day-1], neither negative, from answers (..., answer) and the weather (...)."""

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of inputs from the training part; outputs need none."""
        self.scaling.standardise(mean, std, (*self.inputs, *self.outputs))

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros: a mean day, again and again."""
        own = Sizes({**sizes.dims, **self.dim_sizes}, lead=sizes.lead, dtype=sizes.dtype, device=sizes.device)
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (fluxes of all steps, state) from one call of nn.LSTM."""
        x, columns = self._features(inputs)
        start = tuple(_to_columns(state[name]).unsqueeze(0) for name in _STATES)
        if len(times):
            hidden, (last, memory) = self.lstm(x, start)
        else:
            hidden, (last, memory) = x.new_zeros(0, *start[0].shape[1:]), start
        dtype = inputs[self.moving[0]].dtype
        with torch.autocast(x.device.type, enabled=False):
            seen = hidden.to(dtype)
            if self.direct is not None:
                seen = torch.cat([seen, torch.tanh(self.direct(x))], dim=-1)
            answers = self.head(self.dropout(seen)).unflatten(1, columns)
        gpp, reco = self.fluxes(answers, inputs)
        outputs = {NEE: reco - gpp, GPP: gpp, RECO: reco}
        after = {
            name: _from_columns(value[0].to(dtype), columns)
            for name, value in zip(_STATES, (last, memory), strict=True)
        }
        return outputs, after

    def _features(self, inputs: Tensors) -> tuple[Tensor, tuple[int, ...]]:
        """Return (time, column, feature) and the shape of the columns (*lead, cell)."""
        shape = inputs[self.moving[0]].shape
        columns = tuple(shape[1:])
        moving = self.scaling.stacked({name: inputs[name].expand(shape) for name in self.moving}, self.moving)
        if ROOT_ZONE in self.moving:
            known = torch.isfinite(moving)
            moving = torch.cat([torch.where(known, moving, 0.0), (~known).any(-1, keepdim=True).to(moving)], dim=-1)
        x = moving.reshape(shape[0], prod(columns), moving.shape[-1])
        if self.static:
            fixed = self.scaling.stacked({name: inputs[name].expand(columns) for name in self.static}, self.static)
            fixed = fixed.reshape(1, prod(columns), len(self.static))
            if self.training and self.attribute_noise:
                fixed = fixed + self.attribute_noise * torch.randn_like(fixed)
            x = torch.cat([x, fixed.expand(shape[0], -1, -1)], dim=-1)
        return x.contiguous(), columns

    @torch.no_grad()
    def _start(self, generator: torch.Generator | None) -> None:
        """Draw weights; forget slowly."""
        size = self.lstm.hidden_size
        for parameter in (*self.lstm.parameters(), *self.head.parameters()):
            parameter.uniform_(-(size**-0.5), size**-0.5, generator=generator)
        for parameter in self.direct.parameters() if self.direct is not None else ():
            reach = self.lstm.input_size**-0.5
            parameter.uniform_(-reach, reach, generator=generator)
        self.lstm.get_parameter("weight_hh_l0").mul_(RADIUS * 3.0**0.5)
        self.lstm.get_parameter("bias_hh_l0")[size : 2 * size] = FORGET_BIAS


def _state_port(name: str) -> FieldSpec:
    doc = {"hidden": "h, the output gate's answer", "memory": "c, the cell state"}[name]
    return FieldSpec(name=name, units="1", dims=("carbon_unit", "cell"), cell_methods="time: point", doc=doc)


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, unit, cell) as (lead * cell, unit)."""
    return value.movedim(-2, -1).flatten(0, -2).contiguous()


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (lead * cell, unit) as (*lead, unit, cell)."""
    return value.reshape(*columns, value.shape[-1]).movedim(-1, -2).contiguous()


def _check_numbers(hidden: int, direct: int, dropout: float, noise: float) -> None:
    for name, size, least in (("hidden", hidden, 1), ("direct", direct, 0)):
        if type(size) is not int or size < least:
            raise FieldError(f"carbon: {name} {size!r}: expected a whole number of units, {least} or more")
    if type(dropout) not in (int, float) or not 0.0 <= dropout < 1.0:
        raise FieldError(f"carbon: dropout {dropout!r}: expected a share from 0 to below 1")
    if type(noise) not in (int, float) or not 0.0 <= noise < float("inf"):
        raise FieldError(f"carbon: attribute_noise {noise!r}: expected 0 or more, in standard deviations of attributes")
