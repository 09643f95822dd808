"""StreamflowRouting: a linear reservoir between the runoff of a soil component and the gauge."""

from __future__ import annotations

from math import inf
from typing import Any

import torch

from crest_core import FieldSpec, PhysicalParameters, Sizes, StepComponent, Tensors, parse_timestep
from terrahydro_streamflow.ports import FLUX, runoff_port

_STORE = FieldSpec(
    name="channel_water",
    units="kg m-2",
    cell_methods="time: point",
    bounds=(0.0, inf),
    doc="on its way to the gauge, on the area of the basin",
)


class StreamflowRouting(StepComponent):
    """Runoff at the gauge from surface and subsurface runoff, through one linear reservoir; closes the water balance.

    dS/dt = inflow - S / k, solved exactly over a step dt of constant inflow: S' = S a + inflow k (1 - a) with
    a = exp(-dt / k), runoff = inflow - (S' - S) / dt; Nash (1957). k is `residence_time`; slow flow is the business of
    the soil component's groundwater.

    >>> [spec.name for spec in StreamflowRouting(residence_time=2.0).outputs]
    ['runoff_flux', 'channel_water']
    """

    inputs = tuple(
        FieldSpec(name=f"{where}_runoff", units=FLUX, standard_name=f"{where}_runoff_flux", doc="of a soil component")
        for where in ("surface", "subsurface")
    )
    outputs = (runoff_port(), _STORE)
    states = (_STORE,)
    parameter_specs = (
        FieldSpec(
            name="residence_time",
            units="day",
            dims=(),
            static=True,
            bounds=(0.05, 30.0),
            doc="after which 1/e of the water is still on its way",
        ),
    )
    conserves = ("water: surface_runoff + subsurface_runoff = runoff_flux + d(channel_water)",)

    def __init__(self, *, residence_time: float = 1.0, timestep: str = "1D") -> None:
        super().__init__()
        self.timestep = timestep
        self.days = parse_timestep(timestep).total_seconds() / 86400.0
        self.physical = PhysicalParameters(self.parameter_specs, {"residence_time": residence_time})

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return an empty channel."""
        return {_STORE.name: sizes.zeros(_STORE)}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (runoff and store, state) of one step."""
        stored = state[_STORE.name]
        inflow = inputs["surface_runoff"] + inputs["subsurface_runoff"]
        residence = self.physical.values(inflow.dtype)["residence_time"]
        left = torch.exp(-self.days / residence)
        after = stored * left + inflow * residence * (1.0 - left)
        runoff = inflow - (after - stored) / self.days
        return {"runoff_flux": runoff.clamp(min=0.0), _STORE.name: after}, {_STORE.name: after}
