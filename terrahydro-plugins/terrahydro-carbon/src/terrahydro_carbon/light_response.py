"""LightResponseNEE: photosynthesis by light, respiration by temperature; an LSTM tells how much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from crest_core import FieldSpec, PhysicalParameters, Tensors
from terrahydro_carbon.ports import DRIVERS, ROOT_ZONE
from terrahydro_carbon.recurrent import RecurrentNEE

REFERENCE = 15.0  # degC, at which respiration is the base rate; Reichstein et al. (2005)
COLDEST = -46.02  # degC, T0 of Lloyd and Taylor (1994): 227.13 K
LEAST_ABOVE = 5.0  # K, above COLDEST, where the response has its pole
EFFICIENCY = (0.0, 0.25)  # g m-2 day-1 of carbon per W m-2, in weak light
CAPACITY = (0.1, 45.0)  # g m-2 day-1, in strong light
BASE = (0.0, 15.0)  # g m-2 day-1, respiration at REFERENCE
_USUAL = (0.05, 10.0, 2.5)  # what an untrained network answers at h = 0


def _parameter(name: str, units: str, bounds: tuple[float, float], doc: str) -> FieldSpec:
    return FieldSpec(name=name, units=units, dims=(), static=True, bounds=bounds, doc=doc)


_SENSITIVITY = (_parameter("activation", "K", (100.0, 500.0), "E0 of Lloyd and Taylor (1994), 308.56 there"), 308.56)
_STRESS = (
    (
        _parameter("wilting_point", "1", (0.01, 0.25), "photosynthesis ends there; sandy loam, FAO-56 table 19"),
        0.10,
    ),
    (_parameter("stress_range", "1", (0.02, 0.30), "above it, over which photosynthesis recovers"), 0.12),
)


class LightResponseNEE(RecurrentNEE):
    """GPP = stress a I A / (a I + A), RECO = R exp(E0 (1 / (T_ref - T0) - 1 / (T - T0))), NEE = RECO - GPP.

    I is shortwave radiation; efficiency a, capacity A and base respiration R come from an LSTM of weather and climate,
    anew every day and within the ranges of this module: their seasons are what it has to learn. So there is no
    photosynthesis in the dark, it saturates in strong light, and respiration rises with temperature (T - T0 is at least
    5 K), whatever the weights are. Rectangular hyperbola: Ruimy et al. (1995), doi:10.1016/S0065-2504(08)60063-X;
    respiration: Lloyd and Taylor (1994), doi:10.2307/2389824, eq. 11, as in Reichstein et al. (2005),
    doi:10.1111/j.1365-2486.2005.001002.x.
    With the driver root_zone_soil_moisture stress = x^2 (3 - 2 x), x = (theta - wilting_point) / stress_range within
    [0, 1]; 1 where theta is nan. Without it there is none. The LSTM does not see soil moisture.

    >>> nee = LightResponseNEE(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in nee.parameter_specs]
    ['activation']
    """

    def __init__(
        self,
        *,
        hidden: int = 64,
        direct: int = 0,
        dropout: float = 0.3,
        drivers: Sequence[str] = DRIVERS,
        attributes: Mapping[str, str] | None = None,
        attribute_noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            answers=3, hidden=hidden, direct=direct, dropout=dropout, drivers=drivers, unseen=(ROOT_ZONE,),
            attributes=attributes, attribute_noise=attribute_noise, generator=generator,
        )  # fmt: skip
        self.stressed = ROOT_ZONE in drivers
        pairs = (_SENSITIVITY, *(_STRESS if self.stressed else ()))
        self.parameter_specs = tuple(spec for spec, _ in pairs)
        self.physical = PhysicalParameters(self.parameter_specs, {spec.name: start for spec, start in pairs})
        with torch.no_grad():
            shares = [
                (v - low) / (high - low) for v, (low, high) in zip(_USUAL, (EFFICIENCY, CAPACITY, BASE), strict=True)
            ]
            self.head.bias.copy_(torch.logit(torch.tensor(shares)))

    def extra_repr(self) -> str:
        """Return the settings that change the answer, for print and the graph hash."""
        ranges = f"efficiency {EFFICIENCY}, capacity {CAPACITY}, base {BASE}"
        return f"inputs {[spec.name for spec in self.inputs]}\n{ranges}, reference {REFERENCE} degC"

    def fluxes(self, answers: Tensor, inputs: Tensors) -> tuple[Tensor, Tensor]:
        share = torch.sigmoid(answers).unbind(-1)
        ranges = (EFFICIENCY, CAPACITY, BASE)
        efficiency, capacity, base = (low + (high - low) * s for s, (low, high) in zip(share, ranges, strict=True))
        physical = self.physical.values(answers.dtype)
        light = efficiency * inputs["shortwave_down"].clamp(min=0.0)
        gpp = light * capacity / (light + capacity) * self._stress(inputs, physical)
        above = (inputs["air_temperature"] - COLDEST).clamp(min=LEAST_ABOVE)
        response = torch.exp(physical["activation"] * (1.0 / (REFERENCE - COLDEST) - 1.0 / above))
        return gpp, base * response

    def _stress(self, inputs: Tensors, physical: Tensors) -> Tensor | float:
        """Return the share of photosynthesis that the soil's water allows."""
        if not self.stressed:
            return 1.0
        theta = inputs[ROOT_ZONE]
        known = torch.isfinite(theta)
        share = ((torch.where(known, theta, 1.0) - physical["wilting_point"]) / physical["stress_range"]).clamp(
            0.0, 1.0
        )
        return torch.where(known, share.square() * (3.0 - 2.0 * share), 1.0)
