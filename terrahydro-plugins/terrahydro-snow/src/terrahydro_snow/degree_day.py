"""DegreeDaySnow: degree-day snow in elevation bands, its parameters calibrated or learned from places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import torch

from crest_core import Component, FieldError, FieldSpec, Sizes, Tensors
from terrahydro_snow import weather
from terrahydro_snow.bands import ElevationBands, banded
from terrahydro_snow.cover import FRESH_DENSITY, OLD_DENSITY, cover, density_after
from terrahydro_snow.place_parameters import PlaceParameters
from terrahydro_snow.ports import OUTPUTS, attribute_ports, outputs_of, weather_ports

PATCHY = 0.1  # 1, share of the melt that goes on without cover; Valery et al. (2014), 10.1016/j.jhydrol.2014.04.058


def _parameter(name: str, units: str, bounds: tuple[float, float], doc: str) -> FieldSpec:
    return FieldSpec(name=name, units=units, dims=(), static=True, bounds=bounds, doc=doc)


_PARAMETERS = (
    (_parameter("snow_threshold", "degC", (-2.0, 4.0), "half of the precipitation falls as snow"), 1.0),
    (_parameter("snowfall_factor", "1", (0.4, 2.0), "snowfall over that measured: undercatch, sublimation"), 1.1),
    (_parameter("melt_threshold", "degC", (-3.0, 3.0), "melt sets in"), 0.0),
    (_parameter("degree_day_factor", "kg m-2 day-1 K-1", (0.3, 10.0), "melt per degree above the threshold"), 2.5),
    (_parameter("refreezing", "1", (0.001, 0.5), "of the degree-day factor, below the threshold"), 0.05),
    (_parameter("water_holding", "1", (0.005, 0.25), "liquid water that ice can hold, by mass"), 0.05),
    (_parameter("roughness", "m", (0.002, 0.6), "z0 of the cover"), 0.02),
    (_parameter("cover_exponent", "1", (0.1, 3.0), "m of the cover: how much less old snow covers"), 1.0),
    (_parameter("compaction", "day-1", (0.001, 0.2), "of the way to old snow, in a day"), 0.015),
)
_BY_DRIVER = {
    "shortwave_down": (_parameter("radiation_factor", "kg day-1 W-1", (0.0, 0.15), "melt per sunlight"), 0.02),
    "day_of_year": (_parameter("seasonal_amplitude", "1", (-0.9, 0.9), "of the factor; south: negative"), 0.3),
}


class DegreeDaySnow(Component):
    """Snow from precipitation and temperature by an enhanced degree-day method; closes the water balance.

    In each band: snowfall = snowfall_factor P (1 - warm), warm the share of the day above snow_threshold.
    melt = min(ice, (0.1 + 0.9 cover) (factor (1 + seasonal_amplitude season) D+ + radiation_factor SW warm_melt)),
    D+ the mean degrees above melt_threshold, warm_melt the share of the day above it; Hock (2003),
    doi:10.1016/S0022-1694(03)00257-9, and Pellicciotti et al. (2005), doi:10.3189/172756505781829124.
    Liquid up to water_holding x ice stays; it refreezes as in HBV, before the melt of the day. Cover: Niu and Yang
    (2007), see `cover`.

    `temperature` is "extremes" or "mean" (with `half_range` [K] about it); `drivers` are some of shortwave_down and
    day_of_year; `attributes` {name: units} of places from which a network of `hidden` tanh units learns all
    parameters; `bands` their number, or their heights [m] about the altitude of the weather.

    >>> snow = DegreeDaySnow()
    >>> [spec.name for spec in snow.inputs]
    ['precipitation_flux', 'air_temperature_max', 'air_temperature_min', 'shortwave_down']
    """

    outputs = OUTPUTS
    states = (
        FieldSpec(
            name="snow_ice",
            units="kg m-2",
            dims=("elevation_band", "cell"),
            cell_methods="time: point",
            bounds=(0.0, inf),
            doc="in the band, on the area of the whole cell: the bands add up to the cell",
        ),
        FieldSpec(
            name="snow_liquid",
            units="kg m-2",
            dims=("elevation_band", "cell"),
            cell_methods="time: point",
            bounds=(0.0, inf),
            doc="liquid water in the snow, likewise",
        ),
        FieldSpec(
            name="snow_density",
            units="kg m-3",
            dims=("elevation_band", "cell"),
            cell_methods="time: point",
            bounds=(FRESH_DENSITY, OLD_DENSITY),
            doc="tells old snow from fresh in the cover",
        ),
    )
    conserves = ("water: precipitation_flux + snowfall_correction = liquid_water_flux + d(snow_ice) + d(snow_liquid)",)

    def __init__(
        self,
        *,
        parameters: Mapping[str, float] | None = None,
        temperature: str = "extremes",
        half_range: float = 4.0,
        drivers: Sequence[str] = ("shortwave_down",),
        attributes: Mapping[str, str] | None = None,
        bands: int | Sequence[float] = 1,
        hidden: int = 16,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        named = dict(attributes or {})
        self.inputs = (*weather_ports(temperature, drivers), *attribute_ports(named))
        self.temperature, self.half_range = temperature, float(half_range)
        self.bands = ElevationBands(bands)
        self.dim_sizes = {"elevation_band": self.bands.number}
        pairs = [*_PARAMETERS, *(_BY_DRIVER[name] for name in drivers), *self.bands.parameters_needed().values()]
        self.parameter_specs = tuple(spec for spec, _ in pairs)
        values = {spec.name: start for spec, start in pairs} | dict(parameters or {})
        if unknown := sorted(set(values) - {spec.name for spec in self.parameter_specs}):
            known = [spec.name for spec in self.parameter_specs]
            raise FieldError(f"snow-degree-day: parameters {unknown} are not known here; expected some of {known}")
        self.places = PlaceParameters(self.parameter_specs, values, tuple(named), hidden=hidden, generator=generator)

    def extra_repr(self) -> str:
        """Return the settings that change the answer and are no parameter, for print and the graph hash."""
        return f"inputs {[spec.name for spec in self.inputs]}, half_range={self.half_range!r} K where not given"

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of the attributes, from the training part; the weather needs none."""
        fields = (*self.inputs, *self.outputs)
        if unknown := sorted({*mean, *std} - {spec.name for spec in fields}):
            raise FieldError(
                f"snow: no fields {unknown} to scale, expected some of {sorted(spec.name for spec in fields)}"
            )
        self.places.standardise(mean, std, fields)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return bare ground."""
        own = replace(sizes, dims={**sizes.dims, **self.dim_sizes})
        start = {"snow_density": FRESH_DENSITY}
        return {spec.name: own.full(spec, start.get(spec.name, 0.0)) for spec in self.states}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one step."""
        physical = {name: banded(value) for name, value in self.places.values(inputs).items()}
        store, answer = self._store(state, self._drive(inputs, physical), physical)
        return outputs_of(answer), self._state(store)

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs with time first, state): only the stores are stepped, the rest is computed at once."""
        physical = {name: banded(value) for name, value in self.places.values(inputs).items()}
        drive = self._drive(inputs, physical)
        rows = {name: value.unbind(0) for name, value in drive.items()}
        answers = []
        for index in range(len(times)):
            store, answer = self._store(state, {name: rows[name][index] for name in rows}, physical)
            state = self._state(store)
            answers.append(answer)
        stacked = {name: torch.stack([answer[name] for answer in answers]) for name in answers[0]}
        return outputs_of(stacked), state

    def _drive(self, inputs: Tensors, p: Tensors) -> Tensors:
        """Return what needs no state (..., elevation_band, cell): rain, snowfall, possible melt and refreezing.

        p  physical parameters, (..., 1, cell) or ()
        """
        celsius, half = weather.temperature(inputs, self.half_range if self.temperature == "mean" else None)
        rain, celsius = self.bands.spread(inputs["precipitation_flux"], celsius, p)
        half = half.unsqueeze(-2)
        cold = 1.0 - weather.warm_share(celsius - p["snow_threshold"], half)
        excess = celsius - p["melt_threshold"]
        factor = p["degree_day_factor"]
        if "seasonal_amplitude" in p:
            factor = factor * (1.0 + p["seasonal_amplitude"] * weather.season(inputs["day_of_year"]).unsqueeze(-2))
        melt = factor * weather.positive_degrees(excess, half)
        if "radiation_factor" in p:
            sunlight = inputs["shortwave_down"].unsqueeze(-2)
            melt = melt + p["radiation_factor"] * sunlight * weather.warm_share(excess, half)
        refreezing = p["refreezing"] * p["degree_day_factor"] * weather.positive_degrees(-excess, half)
        fields = {
            "rainfall": rain * (1.0 - cold),
            "snowfall": p["snowfall_factor"] * rain * cold,
            "measured": rain * cold,
            "melt": melt,
            "refreezing": refreezing,
        }
        return dict(zip(fields, torch.broadcast_tensors(*fields.values()), strict=True))

    def _store(self, state: Tensors, drive: Tensors, p: Tensors) -> tuple[Tensors, Tensors]:
        """Return (stores on the area of the band, what flows) of one step."""
        bands = float(self.bands.number)
        ice, liquid, density = state["snow_ice"] * bands, state["snow_liquid"] * bands, state["snow_density"]
        density = density_after(density, ice, drive["snowfall"], p["compaction"])
        frozen = weather.at_most(liquid, drive["refreezing"])
        ice = ice + drive["snowfall"] + frozen
        covered = cover(ice, density, p["roughness"], p["cover_exponent"])
        melt = weather.at_most(ice, drive["melt"] * (PATCHY + (1.0 - PATCHY) * covered))
        ice = ice - melt
        liquid = liquid - frozen + melt + drive["rainfall"]
        room = p["water_holding"] * ice
        full = (room < liquid) | ((room == liquid) & (drive["melt"] > 0.0))  # the slope at no snow, by weather
        outflow = torch.where(full, liquid - room, torch.zeros_like(liquid))
        liquid = torch.where(full, room, liquid)
        covered = cover(ice, density, p["roughness"], p["cover_exponent"])
        store = {"snow_ice": ice, "snow_liquid": liquid, "snow_density": density}
        return store, {
            "amount": ice + liquid,
            "covered": covered,
            "melt": melt,
            "rainfall": drive["rainfall"],
            "outflow": outflow,
            "correction": drive["snowfall"] - drive["measured"],
        }

    def _state(self, store: Tensors) -> Tensors:
        bands = float(self.bands.number)
        density = store["snow_density"].clamp(FRESH_DENSITY, OLD_DENSITY)  # against rounding
        return {"snow_ice": store["snow_ice"] / bands, "snow_liquid": store["snow_liquid"] / bands} | {
            "snow_density": density.expand_as(store["snow_ice"])
        }
