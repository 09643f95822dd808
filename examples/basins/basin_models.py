"""The models of the experiment: snow alone, streamflow alone, and both in one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import torch
import xarray as xr
from terrahydro_streamflow import KRATZERT_ATTRIBUTES

from crest_core import Component, Connection, Graph, registry, simulate

DISCHARGE, SNOW = "runoff_flux", "surface_snow_amount"
MELT_WATER = "liquid_water_flux"
WEATHER = ("shortwave_down", "air_temperature_max", "air_temperature_min", "vapour_pressure")
SNOW_ATTRIBUTES = ("elev_mean", "slope_mean", "frac_forest", "lai_max", "p_mean", "frac_snow", "aridity")


@dataclass(frozen=True)
class Kinds:
    """Which models are coupled, and their sizes."""

    snow: str = "degree-day"
    streamflow: str = "hbv"
    bands: int = 5
    units: int = 16
    """Parts of a basin of HBV."""
    hidden: int = 64
    """Units of LSTMs."""
    attributes: Mapping[str, str] = field(default_factory=lambda: dict(KRATZERT_ATTRIBUTES))

    @property
    def name(self) -> str:
        """Both names, for folders and tables."""
        return f"{self.snow}+{self.streamflow}"


def snow_model(kinds: Kinds, seed: int) -> Component:
    """Return an untrained snow model; its parameters come from what a basin is like."""
    attributes = {name: kinds.attributes[name] for name in SNOW_ATTRIBUTES if name in kinds.attributes}
    size = {"hidden": 16 if kinds.snow == "degree-day" else kinds.hidden}
    make = registry().load("components", f"snow-{kinds.snow}")
    return make(attributes=attributes, bands=kinds.bands, generator=generator(seed, "snow"), **size)


def streamflow_model(kinds: Kinds, seed: int, *, external_snow: bool) -> Component:
    """Return an untrained streamflow model: with snow of its own, or with the water that a snow model lets go."""
    make = registry().load("components", f"streamflow-{kinds.streamflow}")
    if kinds.streamflow == "hbv":
        snow = "external" if external_snow else "internal"
        return make(units=kinds.units, snow=snow, attributes=kinds.attributes, generator=generator(seed, "streamflow"))
    water = (MELT_WATER, SNOW) if external_snow else ("precipitation_flux",)
    return make(
        hidden=kinds.hidden,
        forcing=(*water, *WEATHER),
        attributes=kinds.attributes,
        generator=generator(seed, "streamflow"),
    )


def coupled(snow: Component, streamflow: Component) -> Graph:
    """Return both in one graph. Liquid water has no standard name, so a connection joins it; all else meets by name."""
    water = Connection(f"snow.{MELT_WATER}", f"streamflow.{MELT_WATER}")
    return Graph({"snow": snow, "streamflow": streamflow}, [water])


def scale(component: Component, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
    """Scale the inputs and outputs of a component for which statistics are given."""
    known = [spec.name for spec in (*component.inputs, *component.outputs) if spec.name in mean]
    component.standardise({name: mean[name] for name in known}, {name: std[name] for name in known})  # type: ignore


def handed_over(snow: Component, data: xr.Dataset, start: str, period: tuple[str, str]) -> xr.Dataset:
    """Return what a trained snow model hands over in a period, by which an LSTM is scaled; it runs from `start` on."""
    made = simulate(snow, data, start=start, end=period[1], outputs=[MELT_WATER, SNOW], progress=False)
    return made.sel(time=slice(period[0], None))


def generator(seed: int, what: str) -> torch.Generator:
    """Return a generator of its own for each thing that draws."""
    return torch.Generator().manual_seed(int.from_bytes(sha256(f"{seed} {what}".encode()).digest()[:7]))
