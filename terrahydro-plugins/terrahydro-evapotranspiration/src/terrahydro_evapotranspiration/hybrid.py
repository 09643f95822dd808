"""Evapotranspiration from the energy balance, with what physics leaves open learned by a network.

In the spirit of Zhao et al. (2019), Physics-constrained machine learning of evapotranspiration,
Geophysical Research Letters, doi:10.1029/2019GL085291: a network stands for the surface conductance
(or stress) only, so that energy is conserved whatever it answers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import torch
from torch import Tensor

from crest_core import FieldError, FieldSpec, PhysicalParameters, SequenceComponent, Sizes, Tensors
from terrahydro_evapotranspiration import atmosphere as air
from terrahydro_evapotranspiration.network import CONDUCTANCE, DriverNetwork, check_scaling
from terrahydro_evapotranspiration.ports import ALBEDO, DRIVERS, FLUXES, LEAVES, STATES, WINDLESS, parameter
from terrahydro_evapotranspiration.surface import check_share, energy, more_inputs, site

CLOSED = 1e-12  # m s-1, conductance of a surface that is shut; above 0, so that gradients are finite
REACH = 4.0  # in the logit of a parameter: sigmoid(4) = 0.98, so that it keeps off its bounds


class HybridET(SequenceComponent):
    """Split available energy into latent and sensible heat; a leaf says how (`evaporate`).

    Rn = (1 - albedo) SW - LWnet (FAO-56 eq. 38-40), G = ground_heat_share Rn (0 over a day: eq.
    42), LE = evaporate(A), A = Rn - G, at least 0 (dew is left out), H = A - LE. So Rn - G = LE +
    H, exactly. ET = LE / lambda.

    `memory` units of an LSTM tell the network about the days before: it then sees all inputs, and
    precipitation. `vegetation` asks for the leaf area, and `altitude=None` for the air pressure.
    Parameters that are named in `learned` vary in space and time, as the network says: low + (high
    - low) sigmoid(raw + 4 tanh(answer)). In the spirit of Feng et al. (2022), doi:10.1029/2022WR032404.
    """

    outputs = FLUXES
    conserves = ("energy: net_radiation = ground_heat + latent_heat + sensible_heat",)

    def __init__(
        self,
        inputs: Sequence[FieldSpec],
        *,
        altitude: float | None,
        ground_heat_share: float,
        hidden: int,
        memory: int,
        vegetation: bool,
        dropout: float,
        start: float,
        values: Mapping[str, float],
        learned: Sequence[str],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        if len({*learned} & {*values}) != len(learned):
            raise FieldError(f"evapotranspiration: learned {learned!r}, expected some of {list(values)}, each once")
        check_share(ground_heat_share)
        more = more_inputs(altitude, memory, vegetation)
        self.inputs = (*inputs, *more)
        names = [spec.name for spec in (*DRIVERS, *more) if spec in self.inputs and spec.name != "air_pressure"]
        seen = names if memory else [*CONDUCTANCE, *([LEAVES.name] * vegetation)]
        self.states = STATES if memory else ()
        self.dim_sizes = {"evapotranspiration_unit": memory} if memory else {}
        self.altitude = altitude
        self.ground_heat_share = ground_heat_share
        self.learned = tuple(learned)
        answers = (log(start / (1.0 - start)), *(0.0 for _ in self.learned))
        self.share = DriverNetwork(
            seen, hidden=hidden, memory=memory, dropout=dropout, start=answers, generator=generator
        )
        self.physical = PhysicalParameters(self.parameter_specs, values)

    def extra_repr(self) -> str:
        """Return the settings that change the answer and are no parameter, for print and the graph hash."""
        learned = f", learned {list(self.learned)}" if self.learned else ""
        return f"altitude={self.altitude!r} m, ground_heat_share={self.ground_heat_share!r}{learned}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Scale what the network sees by means and standard deviations of the training part."""
        check_scaling(mean, std, (*self.inputs, *self.outputs), self.share.drivers)
        self.share.standardise(mean, std)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros for the memory, nothing without one."""
        return self.share.initial_state(sizes_with(sizes, self.dim_sizes))

    @abstractmethod
    def evaporate(
        self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors, pressure: float | Tensor
    ) -> Tensor:
        """Return the latent heat flux [W m-2] that the available energy and the air would drive."""

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (fluxes, state of the memory) of all timesteps at once."""
        answer, after = self.share(state, inputs)
        physical = self._varied(answer)
        pressure, altitude = site(inputs, self.altitude)
        net, ground = energy(inputs, physical["albedo"], altitude, self.ground_heat_share)
        available = net - ground
        share = torch.sigmoid(answer[..., 0])
        latent = self.evaporate(available, inputs, share, physical, pressure).clamp(min=0.0)
        return {
            "evapotranspiration": latent / air.latent_heat_of_vaporization(inputs["air_temperature"]),
            "latent_heat": latent,
            "sensible_heat": available - latent,
            "net_radiation": net.expand_as(latent),
            "ground_heat": ground.expand_as(latent),
        }, after

    def _varied(self, answer: Tensor) -> Tensors:
        """Return the physical parameters in their units, those that are learned with the dims of the inputs."""
        found = self.physical.values()
        for index, name in enumerate(self.learned, start=1):
            low, high = next(spec.bounds or (0.0, 1.0) for spec in self.parameter_specs if spec.name == name)
            raw = self.physical.raw[name] + REACH * torch.tanh(answer[..., index])
            found[name] = low + (high - low) * torch.sigmoid(raw)
        return found


class PenmanMonteithET(HybridET):
    """Penman-Monteith with a surface conductance g_s = g_max share(soil moisture, VPD, T, SW).

    LE = (s A + rho c_p D g_a) / (s + gamma (1 + g_a / g_s)); Monteith (1965), FAO-56 eq. 3, with D
    the vapour pressure deficit, s the slope of saturation, g_a = u / aerodynamic_factor (208 for
    grass, eq. 4), u at least 0.5 m s-1.

    >>> et = PenmanMonteithET(altitude=240.0, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in et.parameter_specs]
    ['albedo', 'aerodynamic_factor', 'max_conductance']
    """

    inputs = DRIVERS
    parameter_specs = (
        ALBEDO,
        parameter("aerodynamic_factor", "1", (30.0, 400.0), "r_a u; 208 is grass, FAO-56 eq. 4"),
        parameter("max_conductance", "m s-1", (0.001, 0.05), "of the surface, all stomata open"),
    )

    def __init__(
        self,
        *,
        altitude: float | None,
        generator: torch.Generator | None = None,
        hidden: int = 8,
        memory: int = 0,
        vegetation: bool = False,
        dropout: float = 0.0,
        learned: Sequence[str] = (),
        ground_heat_share: float = 0.0,
        albedo: float = 0.23,
        aerodynamic_factor: float = 208.0,
        max_conductance: float = 0.02,
    ) -> None:
        values = {"albedo": albedo, "aerodynamic_factor": aerodynamic_factor, "max_conductance": max_conductance}
        super().__init__(
            DRIVERS, altitude=altitude, ground_heat_share=ground_heat_share, hidden=hidden, memory=memory,
            vegetation=vegetation, dropout=dropout, start=0.4, values=values, learned=learned, generator=generator,
        )  # fmt: skip

    def evaporate(
        self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors, pressure: float | Tensor
    ) -> Tensor:
        """Return the Penman-Monteith latent heat flux [W m-2]."""
        celsius = weather["air_temperature"]
        slope = air.saturation_slope(celsius)
        gamma = air.psychrometric_constant(pressure, celsius)
        aerodynamic = weather["wind_speed"].clamp(min=0.5) / physical["aerodynamic_factor"]
        surface = (physical["max_conductance"] * share).clamp(min=CLOSED)
        drying = air.air_density(pressure, celsius) * air.SPECIFIC_HEAT * weather["vapour_pressure_deficit"]
        return (slope * available + drying * aerodynamic) / (slope + gamma * (1.0 + aerodynamic / surface))


class PriestleyTaylorET(HybridET):
    """Priestley-Taylor with a learned stress: LE = share alpha s / (s + gamma) A.

    Priestley and Taylor (1972), alpha = 1.26, doi:10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2.
    It asks for no wind, which its equation does not have.

    >>> PriestleyTaylorET(altitude=240.0, generator=torch.Generator().manual_seed(1)).gradient_policy
    'autograd'
    """

    inputs = WINDLESS
    parameter_specs = (
        ALBEDO,
        parameter("alpha", "1", (0.8, 2.0), "1.26 is a wet surface without advection"),
    )

    def __init__(
        self,
        *,
        altitude: float | None,
        generator: torch.Generator | None = None,
        hidden: int = 8,
        memory: int = 0,
        vegetation: bool = False,
        dropout: float = 0.0,
        learned: Sequence[str] = (),
        ground_heat_share: float = 0.0,
        albedo: float = 0.23,
        alpha: float = 1.26,
    ) -> None:
        super().__init__(
            WINDLESS, altitude=altitude, ground_heat_share=ground_heat_share, hidden=hidden, memory=memory,
            vegetation=vegetation, dropout=dropout, start=0.7, values={"albedo": albedo, "alpha": alpha},
            learned=learned, generator=generator,
        )  # fmt: skip

    def evaporate(
        self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors, pressure: float | Tensor
    ) -> Tensor:
        """Return the stressed Priestley-Taylor latent heat flux [W m-2]."""
        celsius = weather["air_temperature"]
        slope = air.saturation_slope(celsius)
        gamma = air.psychrometric_constant(pressure, celsius)
        return share * physical["alpha"] * slope / (slope + gamma) * available


def sizes_with(sizes: Sizes, dims: Mapping[str, int]) -> Sizes:
    """Return sizes with those of the dims that a component brings."""
    return Sizes({**sizes.dims, **dims}, sizes.lead, sizes.dtype, sizes.device)
