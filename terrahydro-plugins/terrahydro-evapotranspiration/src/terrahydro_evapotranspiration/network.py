"""A small network of soil moisture and weather, with or without a memory of the days before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, Sizes, Tensors
from terrahydro_evapotranspiration.ports import STATES

# Mean and spread that bring each driver to order one; round numbers for temperate land, not fitted.
SCALES = {
    "root_zone_soil_moisture": (0.28, 0.06),  # m3 m-3
    "vapour_pressure_deficit": (400.0, 400.0),  # Pa
    "air_temperature": (10.0, 8.0),  # degC
    "shortwave_down": (100.0, 80.0),  # W m-2
    "vapour_pressure": (1000.0, 500.0),  # Pa
    "wind_speed": (3.0, 1.5),  # m s-1
    "shortwave_toa": (300.0, 130.0),  # W m-2
    "precipitation_flux": (2.0, 5.0),  # kg m-2 day-1
    "leaf_area_index": (2.0, 1.5),
}
CONDUCTANCE = ("root_zone_soil_moisture", "vapour_pressure_deficit", "air_temperature", "shortwave_down")
"""Drivers of the surface conductance."""
FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day: memory of weeks from the start; Jozefowicz et al. (2015)


class DriverNetwork(nn.Module):
    """W2 (tanh(W1 x + b1), h) + b2 of the scaled drivers x, h the answer of an LSTM of x with `memory` units, or none.

    Starts near `start` for all drivers, since the last layer is drawn small. Without a generator,
    weights come from torch's own stream, which the seed of a run file sets.

    >>> net = DriverNetwork(CONDUCTANCE, hidden=4, start=(0.5,), generator=torch.Generator().manual_seed(1))
    >>> drivers = {name: torch.tensor([[SCALES[name][0]]]) for name in CONDUCTANCE}
    >>> net({}, drivers)[0].shape  # (time, cell, number of answers)
    torch.Size([1, 1, 1])
    """

    def __init__(
        self,
        drivers: Sequence[str],
        *,
        hidden: int,
        start: Sequence[float],
        memory: int = 0,
        dropout: float = 0.0,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        for name, size, least in (("hidden", hidden, 1), ("memory", memory, 0)):
            if type(size) is not int or size < least:
                raise FieldError(f"evapotranspiration: {name} {size!r}, expected a whole number, {least} or more")
        if not 0.0 <= dropout < 1.0:
            raise FieldError(f"evapotranspiration: dropout {dropout!r}, expected a share from 0 to below 1")
        self.drivers = tuple(drivers)
        self.dropout = dropout
        self.mean: Tensor
        self.std: Tensor
        for at, name in enumerate(("mean", "std")):
            self.register_buffer(name, torch.tensor([SCALES[one][at] for one in self.drivers]))
        self.inner = nn.Linear(len(self.drivers), hidden)
        self.outer = nn.Linear(hidden + memory, len(start))
        self.lstm = nn.LSTM(len(self.drivers), memory) if memory else None
        with torch.no_grad():
            self.inner.weight.normal_(0.0, 0.5, generator=generator)
            self.inner.bias.zero_()
            self.outer.weight.normal_(0.0, 0.3 / (hidden + memory) ** 0.5, generator=generator)
            self.outer.bias.copy_(torch.tensor(start))
            for name, value in self.lstm.named_parameters() if self.lstm is not None else ():
                if name.startswith("weight"):
                    value.uniform_(-(memory**-0.5), memory**-0.5, generator=generator)
                else:
                    value.zero_()
            if self.lstm is not None:
                self.lstm.get_parameter("bias_ih_l0")[memory : 2 * memory] = FORGET_BIAS

    def extra_repr(self) -> str:
        """Return how drivers are scaled, for print and the graph hash."""
        rows = zip(self.drivers, self.mean.tolist(), self.std.tolist(), strict=True)
        return "\n".join(f"({name} - {mean:g}) / {spread:g}" for name, mean, spread in rows)

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set mean and standard deviation of the drivers that are named; see `check_scaling`."""
        for index, name in enumerate(self.drivers):
            if name in mean:
                self.mean[index], self.std[index] = float(mean[name]), float(std[name])

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros for the memory, nothing without one."""
        return {} if self.lstm is None else {spec.name: sizes.zeros(spec) for spec in STATES}

    def forward(self, state: Tensors, drivers: Tensors) -> tuple[Tensor, Tensors]:
        """Return ((time, *lead, cell, answer), state at the end); drivers are (time, *lead, cell)."""
        together = torch.stack(torch.broadcast_tensors(*(drivers[name] for name in self.drivers)), dim=-1)
        x = (together - self.mean) / self.std
        features = torch.tanh(self.inner(x))
        if self.lstm is None:
            return self._answers(features).to(x.dtype), {}
        columns = x.shape[1:-1]
        start = tuple(state[spec.name].movedim(-2, -1).flatten(0, -2).unsqueeze(0).contiguous() for spec in STATES)
        answers, last = self.lstm(x.flatten(1, -2), start)
        after = {
            spec.name: value[0].to(x.dtype).reshape(*columns, -1).movedim(-1, -2).contiguous()
            for spec, value in zip(STATES, last, strict=True)
        }
        features = torch.cat([features, answers.reshape(*x.shape[:-1], -1)], dim=-1)
        return self._answers(features).to(x.dtype), after

    def _answers(self, features: Tensor) -> Tensor:
        return self.outer(nn.functional.dropout(features, self.dropout, self.training))


def check_scaling(
    mean: Mapping[str, float], std: Mapping[str, float], known: Sequence[FieldSpec], scaled: Sequence[str]
) -> None:
    """Refuse names that are none of the fields `known`, and of those `scaled` a mean or std that is no scaling."""
    names = {spec.name for spec in known}
    if unknown := sorted({*mean, *std} - names):
        raise FieldError(f"evapotranspiration: no fields {unknown} to scale, expected some of {sorted(names)}")
    if set(mean) != set(std):
        raise FieldError(
            f"evapotranspiration: scaling needs mean and std of the same fields; got the mean of {sorted(mean)}, "
            f"the std of {sorted(std)}"
        )
    bad = {n: (mean[n], std[n]) for n in scaled if n in std and not (isfinite(mean[n]) and 0.0 < std[n] < inf)}
    if bad:
        raise FieldError(f"evapotranspiration: (mean, std) {bad}; expected finite numbers, std above 0")
