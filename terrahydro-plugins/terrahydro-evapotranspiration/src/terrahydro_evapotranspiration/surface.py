"""Net radiation and ground heat of a surface, the same for all models of this package."""

from __future__ import annotations

from torch import Tensor

from crest_core import FieldError, FieldSpec, Tensors
from terrahydro_evapotranspiration import atmosphere as air
from terrahydro_evapotranspiration.ports import LEAVES, PRECIPITATION, PRESSURE


def check_share(ground_heat: float) -> None:
    """Raise FieldError where the share of net radiation that goes into the ground is none."""
    if type(ground_heat) not in (int, float) or not 0.0 <= ground_heat <= 1.0:
        raise FieldError(f"evapotranspiration: ground_heat_share {ground_heat!r}, expected a share from 0 to 1")


def more_inputs(altitude: float | None, memory: int, vegetation: bool) -> tuple[FieldSpec, ...]:
    """Return the inputs that settings ask for: air pressure without an altitude, rain for a memory, leaf area."""
    if altitude is not None and (type(altitude) not in (int, float) or not -500.0 <= altitude <= 9000.0):
        raise FieldError(f"evapotranspiration: altitude {altitude!r} m, expected -500 to 9000, or None for pressure")
    return (PRESSURE,) * (altitude is None) + (PRECIPITATION,) * (memory > 0) + (LEAVES,) * vegetation


def site(inputs: Tensors, altitude: float | None) -> tuple[float | Tensor, float | Tensor]:
    """Return air pressure [Pa] and altitude [m], one from the other in a standard atmosphere."""
    if altitude is not None:
        return air.air_pressure(altitude), altitude
    return inputs["air_pressure"], air.altitude(inputs["air_pressure"])


def energy(inputs: Tensors, albedo: float | Tensor, altitude: float | Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return (Rn, G) [W m-2]: Rn = (1 - albedo) SW - LWnet (FAO-56 eq. 38-40), G = share Rn (0 over a day: eq. 42)."""
    shortwave = inputs["shortwave_down"]
    longwave = air.net_longwave(
        inputs["air_temperature"], inputs["vapour_pressure"], shortwave, inputs["shortwave_toa"], altitude
    )
    net = (1.0 - albedo) * shortwave - longwave
    return net, share * net
