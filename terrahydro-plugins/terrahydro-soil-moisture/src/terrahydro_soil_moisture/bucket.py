"""SoilBucket: the Fortran soil-water bucket, through the backend "fortran" of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from crest_core import Gradient, registry
from terrahydro_soil_moisture.layers import SOIL_LAYERS

_FortranComponent: Any = registry().load("backends", "fortran")

_OVERRIDES = {
    "precipitation_flux": {"positive": "down"},
    "water_evapotranspiration_flux": {"positive": "up"},
    "evapotranspiration": {"positive": "up"},
    "evapotranspiration_deficit": {"positive": "up"},
}


class SoilBucket(_FortranComponent):
    """Three soil layers over a groundwater store; closes the water balance to rounding.

    The equations stand at the head of the library's source, models/soil_bucket_physics.f90 of crest-fortran. It takes
    evapotranspiration as a demand: `evapotranspiration` is what the soil gave, `evapotranspiration_deficit` the
    rest. Parameters that are not given keep the library's defaults; layers from the surface down. Gradients are finite
    differences, as for any Fortran model, or with gradient=Pullback() the library's hand-written adjoint.

    >>> bucket = SoilBucket(isolation="none")
    >>> [spec.name for spec in bucket.inputs]
    ['precipitation_flux', 'water_evapotranspiration_flux']
    """

    conserves = (
        "water: precipitation_flux = evapotranspiration + surface_runoff + subsurface_runoff"
        " + d(soil_moisture) + d(groundwater)",
    )

    def __init__(
        self,
        *,
        parameters: Mapping[str, float | Sequence[float] | Tensor] | None = None,
        initial_soil_moisture: float | Sequence[float] = (0.25, 0.32, 0.34),
        initial_groundwater: float = 150.0,  # kg m-2
        gradient: Gradient | None = None,
        timestep: str = "1D",
        isolation: str = "process",
        deadline: float = 60.0,
    ) -> None:
        super().__init__(
            _FortranComponent.shipped("soil_bucket"),
            parameters=parameters,
            initial={"soil_moisture": initial_soil_moisture, "groundwater": initial_groundwater},
            fields=_OVERRIDES,
            layers={"soil_layer": SOIL_LAYERS},
            gradient=gradient,
            timestep=timestep,
            isolation=isolation,
            deadline=deadline,
        )
