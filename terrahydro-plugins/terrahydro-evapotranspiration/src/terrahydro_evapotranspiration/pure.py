"""ETNetwork: latent and sensible heat straight from a network, to compare with the hybrids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from crest_core import FieldError, SequenceComponent, Sizes, Tensors
from terrahydro_evapotranspiration import atmosphere as air
from terrahydro_evapotranspiration.hybrid import sizes_with
from terrahydro_evapotranspiration.network import DriverNetwork, check_scaling
from terrahydro_evapotranspiration.ports import DRIVERS, FLUXES, RESIDUAL, STATES
from terrahydro_evapotranspiration.surface import check_share, energy, more_inputs, site

_HEATS = ("latent_heat", "sensible_heat")
_SCALES = ((50.0, 45.0), (40.0, 40.0))  # W m-2, mean and spread of both, round numbers until `standardise`


class ETNetwork(SequenceComponent):
    """Latent and sensible heat from a network of all drivers; nothing makes the energy balance close.

    LE = mean + std f1(x), H = mean + std f2(x); Rn and G as in the hybrids, with a fixed albedo.
    What is left, Rn - G - LE - H, is the output `energy_residual`. ET = LE / lambda; it may be negative.
    Inputs, `memory`, `vegetation` and `altitude=None` as in the hybrids.

    >>> et = ETNetwork(altitude=240.0, generator=torch.Generator().manual_seed(1))
    >>> et.conserves, et.outputs[-1].name
    ((), 'energy_residual')
    """

    inputs = DRIVERS
    outputs = (*FLUXES, RESIDUAL)

    def __init__(
        self,
        *,
        altitude: float | None,
        generator: torch.Generator | None = None,
        hidden: int = 16,
        memory: int = 0,
        vegetation: bool = False,
        dropout: float = 0.0,
        ground_heat_share: float = 0.0,
        albedo: float = 0.23,
    ) -> None:
        super().__init__()
        if not 0.0 <= albedo <= 1.0:
            raise FieldError(f"et-network: albedo {albedo!r}, expected 0 to 1")
        check_share(ground_heat_share)
        self.inputs = (*DRIVERS, *more_inputs(altitude, memory, vegetation))
        self.states = STATES if memory else ()
        self.dim_sizes = {"evapotranspiration_unit": memory} if memory else {}
        self.altitude, self.albedo, self.ground_heat_share = altitude, albedo, ground_heat_share
        seen = [spec.name for spec in self.inputs if spec.name != "air_pressure"]
        self.network = DriverNetwork(
            seen, hidden=hidden, memory=memory, dropout=dropout, start=(0.0, 0.0), generator=generator
        )
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor([mean for mean, _ in _SCALES]))
        self.register_buffer("std", torch.tensor([std for _, std in _SCALES]))

    def extra_repr(self) -> str:
        """Return the settings that change the answer and are no parameter, for print and the graph hash."""
        rows = zip(_HEATS, self.std.tolist(), self.mean.tolist(), strict=True)
        scaling = ", ".join(f"{name} {std:g} x + {mean:g}" for name, std, mean in rows)
        site = f"altitude={self.altitude!r} m, albedo={self.albedo!r}, ground_heat_share={self.ground_heat_share!r}"
        return f"{site}\n{scaling}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Scale drivers and both heats by means and standard deviations of the training part."""
        check_scaling(mean, std, (*self.inputs, *self.outputs), (*self.network.drivers, *_HEATS))
        self.network.standardise(mean, std)
        for index, name in enumerate(_HEATS):
            if name in mean:
                self.mean[index], self.std[index] = float(mean[name]), float(std[name])

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros for the memory, nothing without one."""
        return self.network.initial_state(sizes_with(sizes, self.dim_sizes))

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (fluxes, state of the memory) of all timesteps at once."""
        answer, after = self.network(state, inputs)
        latent, sensible = (answer * self.std + self.mean).unbind(-1)
        net, ground = energy(inputs, self.albedo, site(inputs, self.altitude)[1], self.ground_heat_share)
        return {
            "evapotranspiration": latent / air.latent_heat_of_vaporization(inputs["air_temperature"]),
            "latent_heat": latent,
            "sensible_heat": sensible,
            "net_radiation": net.expand_as(latent),
            "ground_heat": ground.expand_as(latent),
            "energy_residual": net - ground - latent - sensible,
        }, after
