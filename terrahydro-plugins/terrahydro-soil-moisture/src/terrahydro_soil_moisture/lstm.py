"""SoilLSTM: soil moisture in layers from an LSTM, by default with the ports of the bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import Component, FieldError, FieldSpec, Sizes, Tensors
from terrahydro_soil_moisture.layers import SOIL_LAYERS, Layers, checked, root_zone_shares
from terrahydro_soil_moisture.ports import PRESENT, attribute_ports, forcing_ports, outputs_of
from terrahydro_soil_moisture.scaling import InputScaling

FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)
START = (0.25, 0.32, 0.34)  # m3 m-3, of the three layers of Schwingbach
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class SoilLSTM(Component):
    """Soil moisture = low + (high - low) sigmoid(W h), h from an LSTM of weather and attributes of the place.

    One set of weights for all cells; Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, trained on
    satellites by Fang et al. (2017), doi:10.1002/2017GL075619. `sequence` is one call of nn.LSTM, `step` one cell of
    the same weights (equal to 1e-6 in float32). There is no water balance.

    `layers` are depth bounds [m], from the surface down; root_zone_soil_moisture (0-0.6 m) is an output where they
    reach so deep. `forcing` names the inputs that move, `attributes` {name: units} those of the place. `dropout` is the
    share of h that is left out while training. `radius` is the spectral radius of the recurrent weights at the start:
    with 0.15 a long memory is learned faster than with the usual 0.58, which None leaves as drawn.
    `initial_soil_moisture` is what it answers before any weather, one number or one for each layer (default: that of
    Schwingbach for its three layers, else the middle of `bounds`). Inputs are scaled as in InputScaling; `standardise`
    sets the numbers.

    >>> lstm = SoilLSTM(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> state = lstm.initial_state(Sizes({**lstm.dim_sizes, "cell": 2}))
    >>> rain, evaporation = torch.full((30, 2), 3.0), torch.full((30, 2), 1.0)
    >>> inputs = {"precipitation_flux": rain, "water_evapotranspiration_flux": evaporation}
    >>> lstm(state, inputs, range(30))[0]["soil_moisture"].shape
    torch.Size([30, 3, 2])
    """

    def __init__(
        self,
        *,
        hidden: int = 24,
        layers: Sequence[Sequence[float]] = SOIL_LAYERS,
        forcing: Sequence[str] = PRESENT,
        attributes: Mapping[str, str] | None = None,
        dropout: float = 0.0,
        radius: float | None = None,
        initial_soil_moisture: float | Sequence[float] | None = None,
        bounds: tuple[float, float] = (0.05, 0.55),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_numbers(hidden, dropout, radius, bounds)
        self.low, self.high = bounds
        depths = checked(layers)
        self.layers = {"soil_layer": depths}
        self.dim_sizes = {"soil_layer": len(depths), "soil_unit": hidden}
        self.inputs = (*forcing_ports(forcing), *attribute_ports(dict(attributes or {}), forcing))
        self.outputs = outputs_of(depths, (self.low, self.high))
        self.states = tuple(
            FieldSpec(name=name, units="1", dims=("soil_unit", "cell"), cell_methods="time: point", doc=doc)
            for name, doc in (("hidden", "output gate's answer"), ("memory", "cell state"))
        )
        self.scaling = InputScaling([spec.name for spec in self.inputs])
        self.lstm = nn.LSTM(len(self.inputs), hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, len(depths))
        self.shares: Tensor
        self.register_buffer("shares", torch.tensor(root_zone_shares(depths) or []), persistent=False)
        self._start(_started(initial_soil_moisture, depths, bounds), radius, generator)

    def extra_repr(self) -> str:
        """Return range, layers and inputs, for print and the graph hash."""
        layers, inputs = self.layers["soil_layer"], [spec.name for spec in self.inputs]
        return f"soil moisture {self.low!r} to {self.high!r}\nlayers {layers} m\ninputs {inputs}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of the inputs, from the training part; outputs may be named, and are left alone."""
        known = {spec.name for spec in (*self.inputs, *self.outputs)}
        if unknown := sorted({*mean, *std} - known):
            raise FieldError(f"soil-lstm: no fields {unknown} to scale, expected some of {sorted(known)}")
        self.scaling.standardise(mean, std)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros, at which the head answers `initial_soil_moisture`."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (soil moisture of all steps, state) from one call of nn.LSTM."""
        x = self.scaling(inputs)  # (time, *lead, cell, input)
        columns = x.shape[1:-1]
        start = tuple(_to_columns(state[name]).unsqueeze(0) for name in ("hidden", "memory"))
        answer, (hidden, memory) = self.lstm(x.flatten(1, -2), start)
        outputs = self._moisture(answer.reshape(*x.shape[:-1], -1))
        return outputs, {
            "hidden": _from_columns(hidden[0], columns),
            "memory": _from_columns(memory[0], columns),
        }

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (soil moisture, state) of one LSTM cell with the weights of `sequence`."""
        x = self.scaling(inputs)
        columns = x.shape[:-1]
        start = (_to_columns(state["hidden"]), _to_columns(state["memory"]))
        weights = [self.lstm.get_parameter(f"{kind}_l0") for kind in _WEIGHTS]
        hidden, memory = torch.lstm_cell(x.flatten(0, -2), start, *weights)
        outputs = self._moisture(hidden.reshape(*columns, -1))
        return outputs, {
            "hidden": _from_columns(hidden, columns),
            "memory": _from_columns(memory, columns),
        }

    def _moisture(self, hidden: Tensor) -> Tensors:
        answer = self.head(self.dropout(hidden)).to(self.shares.dtype)  # bfloat16 has too few digits for units
        share = torch.sigmoid(answer).movedim(-1, -2)  # (..., soil_layer, cell)
        layers = self.low + (self.high - self.low) * share
        moisture = {"soil_moisture": layers}
        if len(self.shares):
            moisture["root_zone_soil_moisture"] = (layers * self.shares.unsqueeze(-1)).sum(-2)
        return moisture

    @torch.no_grad()
    def _start(self, initial: Tensor, radius: float | None, generator: torch.Generator | None) -> None:
        """Draw weights, forget slowly, and let the head answer the initial soil moisture at h = 0."""
        size = self.lstm.hidden_size
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                parameter.uniform_(-(size**-0.5), size**-0.5, generator=generator)
            else:
                parameter.zero_()
        if radius is not None:
            self.lstm.get_parameter("weight_hh_l0").mul_(radius * 3.0**0.5)  # uniform weights have 3^-0.5
        self.lstm.get_parameter("bias_ih_l0")[size : 2 * size] = FORGET_BIAS
        self.head.weight.uniform_(-(size**-0.5), size**-0.5, generator=generator)
        self.head.bias.copy_(torch.logit((initial - self.low) / (self.high - self.low)))


def _check_numbers(hidden: int, dropout: float, radius: float | None, bounds: Sequence[float]) -> None:
    if type(hidden) is not int or hidden < 1:
        raise FieldError(f"soil-lstm: hidden {hidden!r}; expected a whole number of units, 1 or more")
    if type(dropout) not in (int, float) or not 0.0 <= dropout < 1.0:
        raise FieldError(f"soil-lstm: dropout {dropout!r}; expected a share from 0 to below 1")
    if radius is not None and (type(radius) not in (int, float) or not 0.0 <= radius < float("inf")):
        raise FieldError(f"soil-lstm: radius {radius!r}; expected 0 or more, or None")
    if len(bounds) != 2 or not 0.0 <= bounds[0] < bounds[1] <= 1.0:
        raise FieldError(f"soil-lstm: bounds {bounds!r} m3 m-3; expected a lower and an upper one, from 0 to 1")


def _started(initial: float | Sequence[float] | None, layers: Layers, bounds: tuple[float, float]) -> Tensor:
    """Return the soil moisture (soil_layer,) before any weather."""
    low, high = bounds
    if initial is None:
        initial = START if layers == SOIL_LAYERS else 0.5 * (low + high)
    given = torch.as_tensor(initial, dtype=torch.float32)
    values = given if given.dim() else given.expand(len(layers))
    if values.shape != (len(layers),) or not bool(((low < values) & (values < high)).all()):
        raise FieldError(
            f"soil-lstm: initial_soil_moisture {initial} [1]; expected one number, or one for each of {len(layers)} "
            f"layers, between {low} and {high}"
        )
    return values


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, unit, cell) as (lead * cell, unit)."""
    return value.movedim(-2, -1).flatten(0, -2)


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (lead * cell, unit) as (*lead, unit, cell)."""
    return value.reshape(*columns, value.shape[-1]).movedim(-1, -2)
