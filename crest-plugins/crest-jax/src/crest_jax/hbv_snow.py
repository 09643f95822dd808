"""The degree-day snow routine of HBV, in JAX: snow and the liquid water that it holds."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from crest_core import FieldSpec
from crest_jax.step import JaxStepComponent

PRECIPITATION = FieldSpec(
    name="precipitation", units="mm day-1", standard_name="precipitation_flux", bounds=(0.0, 500.0),
    doc="rain and snow together",
)  # fmt: skip
TEMPERATURE = FieldSpec(
    name="temperature", units="degC", standard_name="air_temperature", bounds=(-80.0, 60.0), doc="mean of the day"
)
SOIL_WATER_INPUT = FieldSpec(
    name="soil_water_input", units="mm day-1", bounds=(0.0, 1000.0), positive="down",
    doc="rain and meltwater that leave the snow, into the soil",
)  # fmt: skip
SWE = FieldSpec(
    name="swe", units="mm", standard_name="lwe_thickness_of_surface_snow_amount", cell_methods="time: point",
    bounds=(0.0, 1e5), doc="frozen and liquid water in the snow, at the end of the step",
)  # fmt: skip
FROZEN = FieldSpec(name="frozen", units="mm", cell_methods="time: point", bounds=(0.0, 1e5), doc="ice of the snow")
LIQUID = FieldSpec(
    name="liquid", units="mm", cell_methods="time: point", bounds=(0.0, 1e5), doc="liquid water held by the snow"
)
PARAMETERS = (
    FieldSpec(
        name="threshold", units="degC", dims=(), static=True, bounds=(-3.0, 3.0), doc="of snowfall and melt (TT)"
    ),
    FieldSpec(name="degree_day_factor", units="mm degC-1 day-1", dims=(), static=True, bounds=(0.1, 20.0), doc="CFMAX"),
    FieldSpec(name="snowfall_correction", units="1", dims=(), static=True, bounds=(0.3, 2.0), doc="SFCF"),
    FieldSpec(name="refreezing", units="1", dims=(), static=True, bounds=(0.0, 1.0), doc="share of CFMAX (CFR)"),
    FieldSpec(name="holding_capacity", units="1", dims=(), static=True, bounds=(0.0, 0.5), doc="of the ice (CWH)"),
)


class HBVSnow(JaxStepComponent):
    """Snow of HBV: below the threshold it snows and refreezes, above it rains and melts by degree-days.

    melt = min(CFMAX max(T - TT, 0), frozen), refreezing = min(CFR CFMAX max(TT - T, 0), liquid); liquid water above
    CWH * frozen leaves. Bergstroem (1976), SMHI RHO 7; Seibert and Vis (2012), doi:10.5194/hess-16-3315-2012, eqs 1-2.
    Daily steps; default values are common ones, calibrated nowhere.

    >>> import torch
    >>> from crest_core import Sizes
    >>> snow = HBVSnow()
    >>> weather = {"precipitation": torch.tensor([[10.0], [0.0]]), "temperature": torch.tensor([[-5.0], [2.0]])}
    >>> outputs, _ = snow(snow.initial_state(Sizes({"cell": 1})), weather, range(2))
    >>> [round(value, 3) for value in outputs["soil_water_input"].flatten().tolist()]
    [0.0, 5.7]
    """

    def __init__(
        self,
        *,
        threshold: float = 0.0,
        degree_day_factor: float = 3.0,
        snowfall_correction: float = 0.9,
        refreezing: float = 0.05,
        holding_capacity: float = 0.1,
    ) -> None:
        super().__init__(
            hbv_snow_step,
            inputs=(PRECIPITATION, TEMPERATURE),
            outputs=(SOIL_WATER_INPUT, SWE),
            states=(FROZEN, LIQUID),
            parameter_specs=PARAMETERS,
            parameters={
                "threshold": threshold,
                "degree_day_factor": degree_day_factor,
                "snowfall_correction": snowfall_correction,
                "refreezing": refreezing,
                "holding_capacity": holding_capacity,
            },
        )


def hbv_snow_step(parameters: Any, state: Any, inputs: Any) -> Any:
    """Return outputs and state at the end of one day; fluxes in mm a day, so that a day's flux is a depth in mm."""
    warmth = inputs["temperature"] - parameters["threshold"]
    snows = warmth < 0.0
    snowfall = jnp.where(snows, parameters["snowfall_correction"] * inputs["precipitation"], 0.0)
    rain = jnp.where(snows, 0.0, inputs["precipitation"])
    potential = parameters["degree_day_factor"] * warmth
    frozen = state["frozen"] + snowfall
    melt = jnp.where(snows, 0.0, _at_most(potential, frozen))
    frozen, liquid = frozen - melt, state["liquid"] + melt + rain
    refrozen = jnp.where(snows, _at_most(-parameters["refreezing"] * potential, liquid), 0.0)
    frozen, liquid = frozen + refrozen, liquid - refrozen
    kept = _at_most(parameters["holding_capacity"] * frozen, liquid)
    return {"soil_water_input": liquid - kept, "swe": frozen + kept}, {"frozen": frozen, "liquid": kept}


def _at_most(wanted: Any, store: Any) -> Any:
    """Return min(wanted, store) of two that are not negative, with the slopes of the side where they are not.

    Ties are no rare accident here: on every dry day without snow wanted or store is exactly 0. There jnp.minimum and
    jnp.clip give half of the slope to each side, also to the one where a store would be less than empty.
    """
    return jnp.where(wanted < store, wanted, jnp.where(wanted > 0.0, store, 0.0))
