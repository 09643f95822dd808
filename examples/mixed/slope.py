"""A hillslope with a channel at its foot, as a model with the Basic Model Interface: anybody's BMI model."""

from __future__ import annotations

import numpy as np
from crest_bmi import ArrayBmi, ArrayVariable, BmiGrid

UNITS = {
    "water_input": "mm day-1",
    "surface_runoff": "mm day-1",
    "subsurface_runoff": "mm day-1",
    "infiltration": "mm day-1",
    "streamflow": "mm day-1",
    "ponded_water": "mm",
    "channel_water": "mm",
    "infiltration_share": "1",
    "overflow_share": "1",
    "channel_share": "1",
}
FIRST = {"infiltration_share": 0.9, "overflow_share": 0.05, "channel_share": 0.3}  # of a store, a day; not calibrated


class Slope(ArrayBmi):
    """Two linear stores, a day a step: water ponds on the slope, and what leaves it or the soil flows in a channel.

    pond = ponded_water + water_input + surface_runoff; infiltration = infiltration_share pond; overflow =
    overflow_share (pond - infiltration); channel = channel_water + overflow + subsurface_runoff; streamflow =
    channel_share channel.
    What the soil does not take (its surface runoff) comes back as run-on the day after. Water is conserved exactly.
    """

    input_names = ("water_input", "surface_runoff", "subsurface_runoff")
    output_names = ("infiltration", "streamflow")
    state_names = ("ponded_water", "channel_water")
    trained = ("infiltration_share", "overflow_share")  # soil moisture says nothing of the channel

    def get_component_name(self) -> str:
        return "slope"

    def initialize(self, config_file: str) -> None:
        self.v = {name: np.full(1, FIRST.get(name, 0.0)) for name in UNITS}
        variables = {
            name: ArrayVariable(self.v[name], units, settable=name not in self.output_names)
            for name, units in UNITS.items()
        }
        grids = (BmiGrid("scalar"),)
        self.begin(variables, grids, inputs=self.input_names, outputs=self.output_names, seconds=86400.0)

    def advance(self) -> None:
        v = self.v
        pond = v["ponded_water"] + v["water_input"] + v["surface_runoff"]
        v["infiltration"][:] = v["infiltration_share"] * pond
        overflow = v["overflow_share"] * (pond - v["infiltration"])  # of what is left: both shares may be near 1
        channel = v["channel_water"] + overflow + v["subsurface_runoff"]
        v["streamflow"][:] = v["channel_share"] * channel
        v["ponded_water"][:] = pond - v["infiltration"] - overflow
        v["channel_water"][:] = channel - v["streamflow"]
