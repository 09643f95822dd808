"""Parameters of HBV from the attributes of a basin, by a small network, each within its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Range:
    """Bounds of a parameter, where an untrained network puts it, and its units."""

    low: float
    high: float
    start: float
    units: str
    doc: str


SNOW_RANGES: Mapping[str, Range] = {
    "snow_threshold": Range(-2.5, 2.5, 0.0, "degC", "TT: half of the precipitation is snow, and melt begins"),
    "degree_day_factor": Range(0.5, 10.0, 3.0, "kg m-2 day-1 K-1", "CFMAX"),
    "refreezing": Range(0.0, 0.1, 0.05, "1", "CFR, share of the degree-day factor"),
    "snow_capacity": Range(0.0, 0.2, 0.1, "1", "CWH, liquid water that the snow holds, of its ice"),
}
SOIL_RANGES: Mapping[str, Range] = {
    "evaporation_factor": Range(0.4, 1.4, 0.7, "1", "of Delta / (Delta + gamma) R / L; 0.61 in Makkink (1957)"),
    "field_capacity": Range(50.0, 1000.0, 200.0, "kg m-2", "FC"),
    "evaporation_limit": Range(0.2, 1.0, 0.7, "1", "LP, share of FC above which evaporation is potential"),
    "recharge_shape": Range(1.0, 6.0, 2.0, "1", "BETA"),
    "percolation": Range(0.0, 10.0, 1.0, "kg m-2 day-1", "PERC"),
    "quick_threshold": Range(0.0, 100.0, 20.0, "kg m-2", "UZL"),
    "quick_rate": Range(0.05, 0.9, 0.3, "day-1", "K0"),
    "middle_rate": Range(0.01, 0.5, 0.1, "day-1", "K1"),
    "slow_rate": Range(0.001, 0.2, 0.03, "day-1", "K2"),
}
ROUTING_RANGES: Mapping[str, Range] = {
    "routing_shape": Range(0.3, 2.9, 1.2, "1", "a of the gamma unit hydrograph"),
    "routing_scale": Range(0.1, 6.5, 0.8, "day", "tau of it"),
}
HBV_RANGES: Mapping[str, Range] = {**SNOW_RANGES, **SOIL_RANGES, **ROUTING_RANGES}
"""Bounds near those of Feng et al. (2022), doi:10.1029/2022WR032404, and Seibert and Vis (2012)."""
_NETWORK, _SPREAD = 64, 1.0  # hidden units; how far the units of a basin begin apart, before the sigmoid


class ParameterNetwork(nn.Module):
    """theta = low + (high - low) sigmoid(W tanh(V a + v) + w), a being the scaled attributes.

    Parameters of `unit_ranges` are given for each of `units` parts of a basin, those of `basin_ranges` once.
    """

    def __init__(
        self,
        attributes: int,
        unit_ranges: Mapping[str, Range],
        basin_ranges: Mapping[str, Range],
        units: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.unit_ranges, self.basin_ranges, self.units = dict(unit_ranges), dict(basin_ranges), units
        both = [*unit_ranges.values()] * units + [*basin_ranges.values()]
        self.low: Tensor
        self.width: Tensor
        self.register_buffer("low", torch.tensor([one.low for one in both]), persistent=False)
        self.register_buffer("width", torch.tensor([one.high - one.low for one in both]), persistent=False)
        self.inner = nn.Linear(attributes, _NETWORK) if attributes else None
        self.outer = nn.Linear(_NETWORK, len(both))
        with torch.no_grad():
            if self.inner is not None:
                for parameter in self.inner.parameters():
                    parameter.uniform_(-(attributes**-0.5), attributes**-0.5, generator=generator)
            self.outer.weight.uniform_(-0.5 * _NETWORK**-0.5, 0.5 * _NETWORK**-0.5, generator=generator)
            apart = torch.zeros(len(both))
            if units > 1:
                apart[: len(unit_ranges) * units].uniform_(-_SPREAD, _SPREAD, generator=generator)
            start = torch.tensor([(one.start - one.low) / (one.high - one.low) for one in both])
            self.outer.bias.copy_(torch.logit(start) + apart)

    def forward(self, attributes: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return parameters of units (*lead, unit, cell) and of basins (*lead, cell) of (*lead, cell, attribute)."""
        with torch.autocast(attributes.device.type, enabled=False):  # parameters to three digits are too coarse
            inner = attributes.new_zeros(*attributes.shape[:-1], _NETWORK)
            if self.inner is not None:
                inner = torch.tanh(self.inner(attributes))
            theta = self.low + self.width * torch.sigmoid(self.outer(inner))
        count = len(self.unit_ranges) * self.units
        units = theta[..., :count].unflatten(-1, (self.units, len(self.unit_ranges))).movedim(-3, -1)
        return _named(self.unit_ranges, units, -2), _named(self.basin_ranges, theta[..., count:], -1)


def _named(names: Sequence[str] | Mapping[str, Range], values: Tensor, dim: int) -> dict[str, Tensor]:
    """Return the parts along a dim by name, each on memory in order."""
    return {name: part.contiguous() for name, part in zip(names, values.unbind(dim), strict=True)}
