"""SoilLSTM: soil moisture in three layers from an LSTM, with the ports of the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import Component, FieldSpec, Sizes, Tensors
from terrahydro_soil_moisture.layers import SOIL_LAYERS

FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_RAIN, _DRYING = 5.0, 2.0  # kg m-2 day-1, scales that bring the two inputs to order one


class SoilLSTM(Component):
    """Soil moisture = low + (high - low) sigmoid(W h), h from an LSTM of log(1 + rain) and evapotranspiration.

    One set of weights for all cells; Hochreiter and Schmidhuber (1997),
    doi:10.1162/neco.1997.9.8.1735. `sequence` is one call of nn.LSTM, `step` one cell of the same
    weights (equal to 1e-6 in float32). There is no water balance.

    >>> lstm = SoilLSTM(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> state = lstm.initial_state(Sizes({**lstm.dim_sizes, "cell": 2}))
    >>> rain, evaporation = torch.full((30, 2), 3.0), torch.full((30, 2), 1.0)
    >>> inputs = {"precipitation_flux": rain, "water_evapotranspiration_flux": evaporation}
    >>> lstm(state, inputs, range(30))[0]["soil_moisture"].shape
    torch.Size([30, 3, 2])
    """

    inputs = (
        FieldSpec(name="precipitation_flux", units="kg m-2 day-1", standard_name="precipitation_flux"),
        FieldSpec(
            name="water_evapotranspiration_flux",
            units="kg m-2 day-1",
            standard_name="water_evapotranspiration_flux",
            positive="up",
        ),
    )
    layers = {"soil_layer": SOIL_LAYERS}

    def __init__(
        self,
        *,
        hidden: int = 24,
        initial_soil_moisture: Sequence[float] = (0.25, 0.32, 0.34),
        bounds: tuple[float, float] = (0.05, 0.55),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.low, self.high = bounds
        self.dim_sizes = {"soil_layer": len(SOIL_LAYERS), "lstm_unit": hidden}
        self.outputs = _outputs((self.low, self.high))
        self.states = tuple(
            FieldSpec(name=name, units="1", dims=("lstm_unit", "cell"), cell_methods="time: point", doc=doc)
            for name, doc in (("hidden", "output gate's answer"), ("memory", "cell state"))
        )
        self.lstm = nn.LSTM(2, hidden)
        self.head = nn.Linear(hidden, len(SOIL_LAYERS))
        self.thickness: Tensor
        self.register_buffer("thickness", torch.tensor([bottom - top for top, bottom in SOIL_LAYERS]), persistent=False)
        self._start(torch.tensor(initial_soil_moisture), generator)

    def extra_repr(self) -> str:
        """Return range, layers and scaling, for print and the graph hash."""
        scaling = f"log1p(rain / {_RAIN:g}), evapotranspiration / {_DRYING:g} (kg m-2 day-1)"
        return f"soil moisture {self.low!r} to {self.high!r}\nlayers {SOIL_LAYERS} m\n{scaling}"

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros, at which the head answers `initial_soil_moisture`."""
        return {spec.name: sizes.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (soil moisture of all steps, state) from one call of nn.LSTM."""
        x = _drivers(inputs)  # (time, *lead, cell, 2)
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
        x = _drivers(inputs)
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
        answer = self.head(hidden).to(self.thickness.dtype)  # bfloat16 of autocast has too few digits for units
        share = torch.sigmoid(answer).movedim(-1, -2)  # (..., soil_layer, cell)
        layers = self.low + (self.high - self.low) * share
        weight = (self.thickness / self.thickness.sum()).unsqueeze(-1)
        return {"soil_moisture": layers, "root_zone_soil_moisture": (layers * weight).sum(-2)}

    @torch.no_grad()
    def _start(self, initial: Tensor, generator: torch.Generator | None) -> None:
        """Draw weights, forget slowly, and let the head answer the initial soil moisture at h = 0."""
        size = self.lstm.hidden_size
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                parameter.uniform_(-(size**-0.5), size**-0.5, generator=generator)
            else:
                parameter.zero_()
        self.lstm.get_parameter("bias_ih_l0")[size : 2 * size] = FORGET_BIAS
        self.head.weight.uniform_(-(size**-0.5), size**-0.5, generator=generator)
        self.head.bias.copy_(torch.logit((initial - self.low) / (self.high - self.low)))


def _outputs(bounds: tuple[float, float]) -> tuple[FieldSpec, ...]:
    name = "volume_fraction_of_condensed_water_in_soil"
    return (
        FieldSpec(
            name="soil_moisture",
            units="1",
            standard_name=name,
            dims=("soil_layer", "cell"),
            cell_methods="time: point",
            bounds=bounds,
            doc="m3 m-3 in 0-0.175, 0.175-0.325, 0.325-0.60 m",
        ),
        FieldSpec(
            name="root_zone_soil_moisture",
            units="1",
            standard_name=name,
            cell_methods="time: point",
            vertical=(0.0, 0.6),
            bounds=bounds,
            doc="m3 m-3, mean over the layers",
        ),
    )


def _drivers(inputs: Tensors) -> Tensor:
    """Return (..., cell, 2): log1p(rain / 5 mm), evapotranspiration / 2 mm."""
    rain = torch.log1p(inputs["precipitation_flux"].clamp(min=0.0) / _RAIN)
    drying = inputs["water_evapotranspiration_flux"] / _DRYING
    return torch.stack(torch.broadcast_tensors(rain, drying), dim=-1)


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, unit, cell) as (lead * cell, unit)."""
    return value.movedim(-2, -1).flatten(0, -2)


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (lead * cell, unit) as (*lead, unit, cell)."""
    return value.reshape(*columns, value.shape[-1]).movedim(-1, -2)
