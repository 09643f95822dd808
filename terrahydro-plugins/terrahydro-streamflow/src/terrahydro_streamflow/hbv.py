"""StreamflowHBV: a differentiable HBV whose parameters a small network learns from the attributes of basins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import torch
from torch import Tensor

from crest_core import FieldError, FieldSpec, SequenceComponent, Sizes, Tensors
from terrahydro_streamflow.hbv_day import (
    MIXED,
    Ground,
    Snow,
    ground_day,
    potential_evaporation,
    snow_day,
    snow_weather,
)
from terrahydro_streamflow.hbv_parameters import ROUTING_RANGES, SNOW_RANGES, SOIL_RANGES, ParameterNetwork
from terrahydro_streamflow.ports import FLUX, KRATZERT_ATTRIBUTES, attribute_ports, forcing_ports, runoff_port
from terrahydro_streamflow.scaling import FieldScaling
from terrahydro_streamflow.unit_hydrograph import DAYS, gamma_hydrograph, route

_SNOW = {"snow_ice": "ice of the snow", "snow_liquid": "liquid water in the snow"}
_GROUND = {"soil_water": "in the soil", "upper_water": "in the upper box", "lower_water": "in the lower box"}
_START = {"soil_water": 50.0, "lower_water": 5.0}  # kg m-2; the others are empty


class StreamflowHBV(SequenceComponent):
    """HBV on `units` equal parts of each basin, with parameters learned from attributes; closes the water balance.

    Snow, soil, two boxes (Bergstroem 1976; Seibert and Vis 2012, doi:10.5194/hess-16-3315-2012), and a gamma unit
    hydrograph, with parameters from attributes as in dHBV (Feng et al. 2022, doi:10.1029/2022WR032404). Potential
    evaporation from temperature and radiation (Makkink 1957). With snow="external" it takes `liquid_water_flux` of a
    snow component in the place of precipitation. Stores begin nearly empty: give it a year of spin-up.

    >>> hbv = StreamflowHBV(units=1, attributes={"aridity": "1"}, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in hbv.inputs]
    ['precipitation_flux', 'shortwave_down', 'air_temperature_max', 'air_temperature_min', 'aridity']
    """

    def __init__(
        self,
        *,
        units: int = 16,
        snow: str = "internal",
        attributes: Mapping[str, str] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if snow not in ("internal", "external") or units < 1:
            raise FieldError(
                f"StreamflowHBV: snow {snow!r} and {units} units; expected 'internal' or 'external', and 1 or more"
            )
        self.inside, self.units = snow == "internal", units
        given = KRATZERT_ATTRIBUTES if attributes is None else attributes
        self.water = "precipitation_flux" if self.inside else "liquid_water_flux"
        moving = (self.water, "shortwave_down", "air_temperature_max", "air_temperature_min")
        self.inputs = (*forcing_ports(moving), *attribute_ports(given))
        self.static = tuple(given)
        self.scaling = FieldScaling(self.static, owner="streamflow")
        stores = {**(_SNOW if self.inside else {}), **_GROUND}
        self.states = (*(_store_port(name, doc) for name, doc in stores.items()), _waiting_port())
        self.outputs = (runoff_port(), _evapotranspiration_port(), *((_snow_port(),) if self.inside else ()))
        self.dim_sizes = {"hbv_unit": units, "routing_day": DAYS - 1}
        kept = " + ".join(f"d({name})" for name in (*stores, "routed_water"))
        self.conserves = (f"water: {self.water} = runoff_flux + evapotranspiration + {kept}",)
        ranges = {**(SNOW_RANGES if self.inside else {}), **SOIL_RANGES}
        self.network = ParameterNetwork(len(self.static), ranges, ROUTING_RANGES, units, generator)

    def extra_repr(self) -> str:
        """Return the settings that change the answer, for print and the graph hash."""
        ranges = {**self.network.unit_ranges, **self.network.basin_ranges}
        bounds = ", ".join(f"{name} {one.low!r} to {one.high!r}" for name, one in ranges.items())
        return f"units={self.units}, inputs {[spec.name for spec in self.inputs]}, {MIXED!r} K\n{bounds}"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of attributes, from the training part; forcing and runoff stay in their units."""
        self.scaling.standardise(mean, std, (*self.inputs, *self.outputs))

    def parameters_of(self, attributes: Tensors) -> tuple[Tensors, Tensors]:
        """Return the parameters of units (*lead, hbv_unit, cell) and of basins (*lead, cell), in their units."""
        return self.network(self._attributes(attributes, attributes[self.static[0]].shape))

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return some water in the soil and the lower box, and none elsewhere; it needs spin-up."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        return {spec.name: own.full(spec, _START.get(spec.name, 0.0) / self.units) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one loop over the days, on all places and units at once."""
        water = inputs[self.water]
        theta, routing = self.network(self._attributes(inputs, water.shape[1:]))
        stores = {spec.name: state[spec.name] * self.units for spec in self.states[:-1]}
        made, evaporated, ice = self._days(stores, inputs, theta, len(times))
        shares = gamma_hydrograph(routing["routing_shape"], routing["routing_scale"])
        waiting = state["routed_water"].movedim(-2, 0)
        runoff, waiting = route(made, shares, waiting)
        outputs = {"runoff_flux": runoff, "evapotranspiration": evaporated}
        after = {name: value / self.units for name, value in stores.items()}
        after["routed_water"] = waiting.movedim(0, -2).contiguous()
        return outputs | ({"surface_snow_amount": ice} if self.inside else {}), after

    def _days(self, stores: Tensors, inputs: Tensors, theta: Tensors, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return (water made, evapotranspiration, snow at the end) (time, *lead, cell); `stores` become the last."""
        celsius = 0.5 * (inputs["air_temperature_max"] + inputs["air_temperature_min"])
        potential = potential_evaporation(celsius, inputs["shortwave_down"]).unsqueeze(-2)
        potential = (potential * theta["evaporation_factor"]).unbind(0)
        water = inputs[self.water].unsqueeze(-2)
        fallen = water.unbind(0)
        if self.inside:
            weather = list(
                zip(*(one.unbind(0) for one in snow_weather(water, celsius.unsqueeze(-2), theta)), strict=True)
            )
            snow = Snow(stores["snow_ice"], stores["snow_liquid"])
        theta = {**theta, "limit_of_evaporation": theta["evaporation_limit"] * theta["field_capacity"]}
        ground = Ground(*(stores[name] for name in _GROUND))
        made, evaporated, lying = [], [], []
        for day in range(steps):
            liquid = fallen[day]
            if self.inside:
                snow, liquid = snow_day(snow, weather[day], theta["snow_capacity"])
                lying.append(snow.ice + snow.liquid)
            ground, flow, vapour = ground_day(ground, liquid, potential[day], theta)
            made.append(flow)
            evaporated.append(vapour)
        stores |= zip(_GROUND, ground, strict=True)
        stores |= zip(_SNOW, snow, strict=True) if self.inside else ()
        empty = inputs[self.water].new_zeros(0, *water.shape[1:])
        means = [torch.stack(rows).mean(-2) if rows else empty.mean(-2) for rows in (made, evaporated, lying)]
        return means[0], means[1], means[2]

    def _attributes(self, inputs: Tensors, columns: Sequence[int]) -> Tensor:
        """Return the scaled attributes (*lead, cell, attribute)."""
        if not self.static:
            return inputs[self.water].new_zeros(*columns, 0)
        return self.scaling.stacked({name: inputs[name].expand(columns) for name in self.static}, self.static)


def _store_port(name: str, doc: str) -> FieldSpec:
    return FieldSpec(
        name=name,
        units="kg m-2",
        dims=("hbv_unit", "cell"),
        cell_methods="time: point",
        bounds=(0.0, inf),
        doc=f"{doc}, on the area of the whole basin: the units add up to it",
    )


def _waiting_port() -> FieldSpec:
    return FieldSpec(
        name="routed_water",
        units="kg m-2",
        dims=("routing_day", "cell"),
        cell_methods="time: point",
        bounds=(0.0, inf),
        doc="leaves on the coming days, the next one first",
    )


def _evapotranspiration_port() -> FieldSpec:
    return FieldSpec(
        name="evapotranspiration",
        units=FLUX,
        standard_name="water_evapotranspiration_flux",
        positive="up",
        bounds=(0.0, inf),
    )


def _snow_port() -> FieldSpec:
    return FieldSpec(
        name="surface_snow_amount",
        units="kg m-2",
        standard_name="surface_snow_amount",
        cell_methods="time: point",
        bounds=(0.0, inf),
        doc="ice and liquid water, mean over the units",
    )
