"""The models of the experiment: soil, surface and carbon, each alone or in one graph, and LSTMs that are stitched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import torch

from crest_core import Component, Connection, Graph, registry

MOISTURE, ET, NEE = "root_zone_soil_moisture", "evapotranspiration", "net_ecosystem_exchange"
TARGETS = (MOISTURE, ET, NEE)
ET_OF_SOIL = "water_evapotranspiration_flux"
"""Evapotranspiration as the soil takes it [kg m-2 day-1]; models of the surface give it in kg m-2 s-1."""
WEATHER = (
    "precipitation_flux",
    "air_temperature",
    "vapour_pressure",
    "vapour_pressure_deficit",
    "wind_speed",
    "shortwave_down",
    "shortwave_toa",
)
OTHERS = ("air_temperature_min", "air_temperature_max", "air_pressure")
"""Of the carbon model, and of the energy balance of the surface."""
RANGE = (0.0, 0.7)  # m3 m-3, of soil moisture: that of cross-stitch
PARTS = {"soil": MOISTURE, "surface": ET, "carbon": NEE}
"""Components and what they are trained on."""


@dataclass(frozen=True)
class Sizes:
    """Of all networks alike."""

    hidden: int = 32
    dropout: float = 0.4


def component(part: str, sizes: Sizes, seed: int) -> Component:
    """Return an untrained LSTM: soil, surface or carbon.

    Each takes what another gives (soil moisture, or evapotranspiration) in all arms; alone it is handed a constant, so
    that arms differ by nothing but the coupling.
    """
    load, drawn = registry().load, generator(seed, part)
    if part == "soil":
        return load("components", "soil-lstm")(
            hidden=sizes.hidden,
            layers=[[0.0, 0.6]],
            forcing=(*WEATHER, ET_OF_SOIL),
            dropout=sizes.dropout,
            bounds=RANGE,
            initial_soil_moisture=0.15,
            generator=drawn,
        )
    if part == "surface":
        return load("components", "et-network")(
            altitude=None, memory=sizes.hidden, dropout=sizes.dropout, generator=drawn
        )
    drivers = ("air_temperature", "shortwave_down", "vapour_pressure_deficit", "shortwave_toa")
    return load("components", "nee-lstm")(
        hidden=sizes.hidden, dropout=sizes.dropout, drivers=(*drivers, *OTHERS[:2], MOISTURE), generator=drawn
    )


def stitched(sizes: Sizes, seed: int) -> Component:
    """Return three untrained LSTMs that see each other's hidden state."""
    make = registry().load("components", "cross-stitch")
    return make(hidden=sizes.hidden, dropout=sizes.dropout, generator=generator(seed, "stitched"))


def one_way(parts: Mapping[str, Component], start: float) -> Graph:
    """Return a graph in which soil moisture acts on surface and carbon; the soil asks for ET from outside.

    Soil moisture is that of the day before, `start` [m3 m-3] before the first day.
    """
    outside = Connection(f"forcing.{ET_OF_SOIL}", f"soil.{ET_OF_SOIL}")
    return Graph(dict(parts), [*_moisture(start), outside])


def two_way(parts: Mapping[str, Component], start: float) -> Graph:
    """Return the same graph, in which evapotranspiration of the day acts on the soil, too: a loop."""
    return Graph(dict(parts), [*_moisture(start), Connection(f"surface.{ET}", f"soil.{ET_OF_SOIL}")])


def scale(model: Component, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
    """Scale the inputs and outputs of a component for which statistics are given."""
    known = [spec.name for spec in (*model.inputs, *model.outputs) if spec.name in mean]
    model.standardise({name: mean[name] for name in known}, {name: std[name] for name in known})  # type: ignore


def generator(seed: int, what: str) -> torch.Generator:
    """Return a generator of its own for each thing that draws."""
    return torch.Generator().manual_seed(int.from_bytes(sha256(f"{seed} {what}".encode()).digest()[:7]))


def _moisture(start: float) -> list[Connection]:
    """Return soil moisture to surface and carbon: that of the end of the day before, which is the state they meet."""
    targets = ("surface", "carbon")
    return [Connection(f"soil.{MOISTURE}", f"{one}.{MOISTURE}", lagged=True, initial=start) for one in targets]
