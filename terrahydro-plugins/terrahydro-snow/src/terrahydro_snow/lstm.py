"""SnowLSTM: an LSTM gives snowfall, melt and cover of the day; a store keeps the water."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf, log
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import Component, FieldSpec, PhysicalParameters, Sizes, Tensors
from terrahydro_snow import weather
from terrahydro_snow.bands import ElevationBands
from terrahydro_snow.ports import OUTPUTS, attribute_ports, outputs_of, weather_ports
from terrahydro_snow.scaling import FieldScaling

FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)
PATCHY = 0.1  # 1, share of the melt that goes on without cover; Valery et al. (2014), 10.1016/j.jhydrol.2014.04.058
SNOW_THRESHOLD = (-2.0, 4.0)  # degC, between which the network puts it
MELT_THRESHOLD = (-2.0, 2.0)  # degC
DEGREE_DAY_FACTOR = (0.0, 15.0)  # kg m-2 day-1 K-1
SNOWFALL_FACTOR = (0.4, 2.0)  # 1
COVER_SCALE = (2.0, 400.0)  # kg m-2, at which 0.76 of the ground is covered; between them logarithmic
_START = {"snow_threshold": 1.0, "melt_threshold": 0.0, "factor": 2.5, "snowfall_factor": 1.0, "cover_scale": 20.0}
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class SnowLSTM(Component):
    """A degree-day store whose five numbers an LSTM of weather and attributes gives anew every day.

    snowfall = f P (1 - warm), melt = min(snow, (0.1 + 0.9 cover) c D+), cover = tanh(snow / scale): thresholds, f, c
    and scale = low + (high - low) sigmoid(W h + b), within the ranges of this module. So snow >= 0, cover within
    [0, 1], no snow where T stays above 4 degC and no melt where it stays below -2 degC, whatever the weights are.
    LSTM: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; parameters that vary by the day:
    Feng et al. (2022), doi:10.1029/2022WR032404. The store holds no liquid water of its own.

    Inputs are scaled by `standardise`; arguments as those of DegreeDaySnow.

    >>> lstm = SnowLSTM(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in lstm.states]
    ['snow_amount', 'hidden', 'memory']
    """

    outputs = OUTPUTS
    conserves = ("water: precipitation_flux + snowfall_correction = liquid_water_flux + d(snow_amount)",)

    def __init__(
        self,
        *,
        hidden: int = 32,
        temperature: str = "extremes",
        half_range: float = 4.0,
        drivers: Sequence[str] = ("shortwave_down",),
        attributes: Mapping[str, str] | None = None,
        bands: int | Sequence[float] = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        moving = weather_ports(temperature, drivers)
        static = attribute_ports(dict(attributes or {}))
        self.inputs = (*moving, *static)
        self.temperature, self.half_range = temperature, float(half_range)
        self.bands = ElevationBands(bands)
        self.dim_sizes = {"elevation_band": self.bands.number, "lstm_unit": hidden}
        needed = self.bands.parameters_needed()
        self.parameter_specs = tuple(spec for spec, _ in needed.values())
        self.physical = PhysicalParameters(self.parameter_specs, {name: start for name, (_, start) in needed.items()})
        self.states = _states()
        self.scaling = FieldScaling([spec.name for spec in self.inputs], owner="snow")
        self.lstm = nn.LSTM(len(self.inputs) + 2, hidden)
        self.head = nn.Linear(hidden, len(_START))
        self._start(generator)

    def extra_repr(self) -> str:
        """Return the settings that change the answer, for print and the graph hash."""
        ranges = SNOW_THRESHOLD, MELT_THRESHOLD, DEGREE_DAY_FACTOR, SNOWFALL_FACTOR, COVER_SCALE
        return f"inputs {[spec.name for spec in self.inputs]}, half_range={self.half_range!r} K\nranges {ranges}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of inputs, weather and attributes, from the training part."""
        self.scaling.standardise(mean, std, (*self.inputs, *self.outputs))

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return bare ground and zeros."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs of all steps, state): one call of nn.LSTM, then the store step by step."""
        features, drive = self._features(inputs)  # (time, *lead, band, cell, feature)
        columns = features.shape[1:-1]
        start = tuple(_to_columns(state[name]).unsqueeze(0) for name in ("hidden", "memory"))
        answer, (hidden, memory) = self.lstm(features.flatten(1, -2).contiguous(), start)
        drive = _possible(drive, self.head(answer.reshape(*features.shape[:-1], -1)))
        rows = {name: value.unbind(0) for name, value in drive.items()}
        amount, steps = state["snow_amount"], []
        for index in range(len(times)):
            amount, found = self._store(amount, {name: rows[name][index] for name in rows})
            steps.append(found)
        stacked = {name: torch.stack([found[name] for found in steps]) for name in steps[0]}
        memories = {"hidden": _from_columns(hidden[0], columns), "memory": _from_columns(memory[0], columns)}
        return outputs_of(stacked), {"snow_amount": amount, **memories}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one LSTM cell with the weights of `sequence`."""
        features, drive = self._features(inputs)
        columns = features.shape[:-1]
        start = (_to_columns(state["hidden"]), _to_columns(state["memory"]))
        weights = [self.lstm.get_parameter(f"{kind}_l0") for kind in _WEIGHTS]
        hidden, memory = torch.lstm_cell(features.flatten(0, -2).contiguous(), start, *weights)
        drive = _possible(drive, self.head(hidden.reshape(*columns, -1)))
        amount, found = self._store(state["snow_amount"], drive)
        memories = {"hidden": _from_columns(hidden, columns), "memory": _from_columns(memory, columns)}
        return outputs_of(found), {"snow_amount": amount, **memories}

    def _features(self, inputs: Tensors) -> tuple[Tensor, Tensors]:
        """Return (features (..., elevation_band, cell, feature), weather of the bands)."""
        physical = self.physical.values()
        celsius, half = weather.temperature(inputs, self.half_range if self.temperature == "mean" else None)
        rain, banded = self.bands.spread(inputs["precipitation_flux"], celsius, physical)
        fields = {name: inputs[name].unsqueeze(-2) for name in self.scaling.fields}
        change = banded - celsius.unsqueeze(-2)
        fields |= {name: value + change for name, value in fields.items() if name.startswith("air_temperature")}
        fields["precipitation_flux"] = rain
        scaled = self.scaling(fields)
        kilometres = (self.bands.height(physical) / 1000.0).expand(scaled.shape[:-1])
        wet = torch.log1p(rain.clamp(min=0.0)).expand(scaled.shape[:-1])
        features = torch.cat([scaled, torch.stack([kilometres, wet], dim=-1).to(scaled)], dim=-1)
        return features, {"rain": rain, "celsius": banded, "half_range": half.unsqueeze(-2)}

    def _store(self, amount: Tensor, drive: Tensors) -> tuple[Tensor, Tensors]:
        """Return (snow in the band on the area of the cell, what flows in the band) of one step."""
        bands = float(self.bands.number)
        amount = amount * bands + drive["snowfall"]
        covered = torch.tanh(amount / drive["scale"])
        melt = weather.at_most(amount, drive["melt"] * (PATCHY + (1.0 - PATCHY) * covered))
        amount = amount - melt
        return amount / bands, {
            "amount": amount,
            "covered": torch.tanh(amount / drive["scale"]),
            "melt": melt,
            "rainfall": drive["rainfall"],
            "outflow": drive["rainfall"] + melt,
            "correction": drive["snowfall"] - drive["measured"],
        }

    @torch.no_grad()
    def _start(self, generator: torch.Generator | None) -> None:
        """Draw weights, forget slowly, and let the head answer the usual degree-day numbers at h = 0."""
        size = self.lstm.hidden_size
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                parameter.uniform_(-(size**-0.5), size**-0.5, generator=generator)
            else:
                parameter.zero_()
        self.lstm.get_parameter("bias_ih_l0")[size : 2 * size] = FORGET_BIAS
        self.head.weight.uniform_(-(size**-0.5), size**-0.5, generator=generator)
        ranges = SNOW_THRESHOLD, MELT_THRESHOLD, DEGREE_DAY_FACTOR, SNOWFALL_FACTOR
        starts = [(value - low) / (high - low) for value, (low, high) in zip(_START.values(), ranges, strict=False)]
        starts.append(log(_START["cover_scale"] / COVER_SCALE[0]) / log(COVER_SCALE[1] / COVER_SCALE[0]))
        self.head.bias.copy_(torch.logit(torch.tensor(starts)))


def _possible(drive: Tensors, head: Tensor) -> Tensors:
    """Return rain, snowfall, possible melt and cover scale of a day from weather and the answer of the head."""
    share = torch.sigmoid(head.to(drive["rain"].dtype)).unbind(-1)  # bfloat16 of autocast has too few digits
    ranges = SNOW_THRESHOLD, MELT_THRESHOLD, DEGREE_DAY_FACTOR, SNOWFALL_FACTOR
    snow_at, melt_at, factor, extra = (low + (high - low) * s for s, (low, high) in zip(share, ranges, strict=False))
    celsius, half = drive["celsius"], drive["half_range"]
    cold = 1.0 - weather.warm_share(celsius - snow_at, half)
    fields = {
        "rainfall": drive["rain"] * (1.0 - cold),
        "snowfall": extra * drive["rain"] * cold,
        "measured": drive["rain"] * cold,
        "melt": factor * weather.positive_degrees(celsius - melt_at, half),
        "scale": COVER_SCALE[0] * torch.exp(share[-1] * log(COVER_SCALE[1] / COVER_SCALE[0])),
    }
    return dict(zip(fields, torch.broadcast_tensors(*fields.values()), strict=True))


def _states() -> tuple[FieldSpec, ...]:
    dims = ("elevation_band", "cell")
    return (
        FieldSpec(
            name="snow_amount",
            units="kg m-2",
            dims=dims,
            cell_methods="time: point",
            bounds=(0.0, inf),
            doc="in the band, on the area of the whole cell: the bands add up to the cell",
        ),
        *(
            FieldSpec(name=name, units="1", dims=("lstm_unit", *dims), cell_methods="time: point", doc=doc)
            for name, doc in (("hidden", "output gate's answer"), ("memory", "cell state"))
        ),
    )


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, unit, band, cell) as (lead * band * cell, unit)."""
    return value.movedim(-3, -1).flatten(0, -2).contiguous()


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (lead * band * cell, unit) as (*lead, unit, band, cell)."""
    return value.reshape(*columns, value.shape[-1]).movedim(-1, -3).contiguous()
