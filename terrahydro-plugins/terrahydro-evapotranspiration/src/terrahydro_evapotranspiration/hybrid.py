"""Evapotranspiration from the energy balance, with what physics leaves open learned by a network.

In the spirit of Zhao et al. (2019), Physics-constrained machine learning of evapotranspiration,
Geophysical Research Letters, doi:10.1029/2019GL085291: a network stands for the surface conductance
(or stress) only, so that energy is conserved whatever it answers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from crest_core import Component, FieldSpec, PhysicalParameters, Tensors
from terrahydro_evapotranspiration import atmosphere as air
from terrahydro_evapotranspiration.network import ShareNetwork

_INPUTS = (
    FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
    FieldSpec(name="vapour_pressure", units="Pa", standard_name="water_vapor_partial_pressure_in_air"),
    FieldSpec(
        name="vapour_pressure_deficit",
        units="Pa",
        standard_name="water_vapor_saturation_deficit_in_air",
        doc="mean over the step of e_s(T) - e, which is more than e_s of the mean T less e",
    ),
    FieldSpec(name="wind_speed", units="m s-1", standard_name="wind_speed", doc="at 2 m"),
    FieldSpec(
        name="shortwave_down",
        units="W m-2",
        standard_name="surface_downwelling_shortwave_flux_in_air",
        positive="down",
    ),
    FieldSpec(
        name="shortwave_toa",
        units="W m-2",
        standard_name="toa_incoming_shortwave_flux",
        positive="down",
        doc="tells cloud from night in the longwave balance",
    ),
    FieldSpec(
        name="root_zone_soil_moisture",
        units="1",
        standard_name="volume_fraction_of_condensed_water_in_soil",
        cell_methods="time: point",
        vertical=(0.0, 0.6),
        doc="m3 m-3; what closes the loop with a soil model",
    ),
)
_WINDLESS = tuple(spec for spec in _INPUTS if spec.name != "wind_speed")
_OUTPUTS = (
    FieldSpec(
        name="evapotranspiration",
        units="kg m-2 s-1",
        standard_name="water_evapotranspiration_flux",
        positive="up",
    ),
    FieldSpec(
        name="latent_heat",
        units="W m-2",
        standard_name="surface_upward_latent_heat_flux",
        positive="up",
    ),
    FieldSpec(
        name="sensible_heat",
        units="W m-2",
        standard_name="surface_upward_sensible_heat_flux",
        positive="up",
    ),
    FieldSpec(
        name="net_radiation",
        units="W m-2",
        standard_name="surface_net_downward_radiative_flux",
        positive="down",
    ),
    FieldSpec(
        name="ground_heat",
        units="W m-2",
        standard_name="downward_heat_flux_at_ground_level_in_soil",
        positive="down",
    ),
)


def _parameter(name: str, units: str, bounds: tuple[float, float], doc: str, standard_name: str = "") -> FieldSpec:
    return FieldSpec(
        name=name,
        units=units,
        standard_name=standard_name,
        dims=(),
        static=True,
        bounds=bounds,
        doc=doc,
    )


_ALBEDO = _parameter("albedo", "1", (0.05, 0.5), "0.23 is grass; FAO-56 eq. 38", "surface_albedo")


class HybridET(Component):
    """Split available energy into latent and sensible heat; a leaf says how (`evaporate`).

    Rn = (1 - albedo) SW - LWnet (FAO-56 eq. 38-40), G = ground_heat_share Rn (0 over a day: eq.
    42), LE = evaporate(A), A = Rn - G, at least 0 (dew is left out), H = A - LE. So Rn - G = LE +
    H, exactly. ET = LE / lambda. No memory: `step` and `sequence` are one formula.
    """

    outputs = _OUTPUTS
    conserves = ("energy: net_radiation = ground_heat + latent_heat + sensible_heat",)

    def __init__(self, *, altitude: float, ground_heat_share: float, share: ShareNetwork) -> None:
        super().__init__()
        self.altitude = altitude
        self.pressure = air.air_pressure(altitude)
        self.ground_heat_share = ground_heat_share
        self.share = share

    def extra_repr(self) -> str:
        """Return the settings that change the answer and are no parameter, for print and the graph hash."""
        return f"altitude={self.altitude!r} m, ground_heat_share={self.ground_heat_share!r}"

    @abstractmethod
    def evaporate(self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors) -> Tensor:
        """Return the latent heat flux [W m-2] that the available energy and the air would drive."""

    @abstractmethod
    def physical_values(self) -> Tensors:
        """Return the physical parameters in their units."""

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (fluxes, no state) of one timestep."""
        return self._fluxes(inputs), {}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (fluxes, no state) of all timesteps at once."""
        return self._fluxes(inputs), {}

    def _fluxes(self, inputs: Tensors) -> Tensors:
        physical = self.physical_values()
        celsius, shortwave = inputs["air_temperature"], inputs["shortwave_down"]
        longwave = air.net_longwave(
            celsius, inputs["vapour_pressure"], shortwave, inputs["shortwave_toa"], self.altitude
        )
        net = (1.0 - physical["albedo"]) * shortwave - longwave
        ground = self.ground_heat_share * net
        available = net - ground
        share = self.share(inputs)
        latent = self.evaporate(available, inputs, share, physical).clamp(min=0.0)
        return {
            "evapotranspiration": latent / air.latent_heat_of_vaporization(celsius),
            "latent_heat": latent,
            "sensible_heat": available - latent,
            "net_radiation": net.expand_as(latent),
            "ground_heat": ground.expand_as(latent),
        }


class PenmanMonteithET(HybridET):
    """Penman-Monteith with a surface conductance g_s = g_max share(soil moisture, VPD, T, SW).

    LE = (s A + rho c_p D g_a) / (s + gamma (1 + g_a / g_s)); Monteith (1965), FAO-56 eq. 3, with D
    the vapour pressure deficit, s the slope of saturation, g_a = u / aerodynamic_factor (208 for
    grass, eq. 4), u at least 0.5 m s-1.

    >>> et = PenmanMonteithET(altitude=240.0, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in et.parameter_specs]
    ['albedo', 'aerodynamic_factor', 'max_conductance']
    """

    inputs = _INPUTS
    parameter_specs = (
        _ALBEDO,
        _parameter("aerodynamic_factor", "1", (30.0, 400.0), "r_a u; 208 is grass, FAO-56 eq. 4"),
        _parameter("max_conductance", "m s-1", (0.001, 0.05), "of the surface, all stomata open"),
    )

    def __init__(
        self,
        *,
        altitude: float,
        generator: torch.Generator | None = None,
        hidden: int = 8,
        ground_heat_share: float = 0.0,
        albedo: float = 0.23,
        aerodynamic_factor: float = 208.0,
        max_conductance: float = 0.02,
    ) -> None:
        super().__init__(
            altitude=altitude,
            ground_heat_share=ground_heat_share,
            share=ShareNetwork(hidden=hidden, start=0.4, generator=generator),
        )
        values = {
            "albedo": albedo,
            "aerodynamic_factor": aerodynamic_factor,
            "max_conductance": max_conductance,
        }
        self.physical = PhysicalParameters(self.parameter_specs, values)

    def physical_values(self) -> Tensors:
        """Return the physical parameters in their units."""
        return self.physical.values()

    def evaporate(self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors) -> Tensor:
        """Return the Penman-Monteith latent heat flux [W m-2]."""
        celsius = weather["air_temperature"]
        slope = air.saturation_slope(celsius)
        gamma = air.psychrometric_constant(self.pressure, celsius)
        aerodynamic = weather["wind_speed"].clamp(min=0.5) / physical["aerodynamic_factor"]
        surface = physical["max_conductance"] * share
        drying = (
            air.air_density(self.pressure, celsius)
            * air.SPECIFIC_HEAT
            * weather["vapour_pressure_deficit"]
            * aerodynamic
        )
        return (slope * available + drying) / (slope + gamma * (1.0 + aerodynamic / surface))


class PriestleyTaylorET(HybridET):
    """Priestley-Taylor with a learned stress: LE = share alpha s / (s + gamma) A.

    Priestley and Taylor (1972), alpha = 1.26, doi:10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2.
    It asks for no wind, which its equation does not have.

    >>> PriestleyTaylorET(altitude=240.0, generator=torch.Generator().manual_seed(1)).gradient_policy
    'autograd'
    """

    inputs = _WINDLESS
    parameter_specs = (
        _ALBEDO,
        _parameter("alpha", "1", (0.8, 2.0), "1.26 is a wet surface without advection"),
    )

    def __init__(
        self,
        *,
        altitude: float,
        generator: torch.Generator | None = None,
        hidden: int = 8,
        ground_heat_share: float = 0.0,
        albedo: float = 0.23,
        alpha: float = 1.26,
    ) -> None:
        super().__init__(
            altitude=altitude,
            ground_heat_share=ground_heat_share,
            share=ShareNetwork(hidden=hidden, start=0.7, generator=generator),
        )
        values = {"albedo": albedo, "alpha": alpha}
        self.physical = PhysicalParameters(self.parameter_specs, values)

    def physical_values(self) -> Tensors:
        """Return the physical parameters in their units."""
        return self.physical.values()

    def evaporate(self, available: Tensor, weather: Tensors, share: Tensor, physical: Tensors) -> Tensor:
        """Return the stressed Priestley-Taylor latent heat flux [W m-2]."""
        celsius = weather["air_temperature"]
        slope = air.saturation_slope(celsius)
        gamma = air.psychrometric_constant(self.pressure, celsius)
        return share * physical["alpha"] * slope / (slope + gamma) * available
