"""The graph: snow in JAX, a slope behind BMI, soil in Fortran, evapotranspiration in torch, vegetation in ONNX.

    weather -> snow -> slope -> soil -> surface -> vegetation -> soil      soil -> slope, soil -> surface: next day

Snow, slope and soil are physics with plausible numbers, surface is physics with an untrained network inside, vegetation
is an untrained network. Each is got by the name that its package registered.
"""

from __future__ import annotations

from pathlib import Path

import torch
import xarray as xr
from crest_onnx import export_onnx
from slope import Slope
from torch import Tensor, nn

from crest_core import Component, Connection, FieldSpec, Graph, Pullback, Standardize, TensorMap, registry

ALTITUDE = 238.6  # m, of the weather station
# degC; mm degC-1 day-1. With the defaults (0, 3) the little snow of this site melts within a day of thaw, whatever
# the other parameters are: their gradients would rightly be zero.
SNOW = {"threshold": 2.0, "degree_day_factor": 2.0}
TECHNOLOGY = {"snow": "JAX", "slope": "BMI", "soil": "Fortran", "surface": "torch", "vegetation": "ONNX"}
CONNECTIONS = (
    Connection("snow.soil_water_input", "slope.water_input"),
    Connection("slope.infiltration", "soil.precipitation_flux"),
    Connection("surface.evapotranspiration", "vegetation.demand"),
    Connection("vegetation.uptake", "soil.water_evapotranspiration_flux"),
    # What the soil does today acts on slope and surface tomorrow: the feedback.
    Connection("soil.root_zone_soil_moisture", "surface.root_zone_soil_moisture", lagged=True, initial=0.31),
    Connection("soil.root_zone_soil_moisture", "vegetation.root_zone_soil_moisture", lagged=True, initial=0.31),
    Connection("soil.surface_runoff", "slope.surface_runoff", lagged=True, initial=0.0),
    Connection("soil.subsurface_runoff", "slope.subsurface_runoff", lagged=True, initial=0.0),
)
DEMAND = FieldSpec(
    name="demand", units="mm day-1", standard_name="water_evapotranspiration_flux", positive="up",
    doc="what the surface gives the atmosphere, limited by its conductance",
)  # fmt: skip
UPTAKE = FieldSpec(name="uptake", units="mm day-1", positive="up", doc="what vegetation asks of the soil")
DRIVERS = (
    FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
    FieldSpec(name="shortwave_down", units="W m-2", standard_name="surface_downwelling_shortwave_flux_in_air",
              positive="down"),
    FieldSpec(name="root_zone_soil_moisture", units="1", vertical=(0.0, 0.6), cell_methods="time: point",
              standard_name="volume_fraction_of_condensed_water_in_soil"),
)  # fmt: skip
MEMORY = FieldSpec(
    name="memory", units="1", dims=("layer", "unit", "cell"), cell_methods="time: point", doc="of past weather"
)
UNITS = 4


def schwingbach() -> xr.Dataset:
    """Return measured weather and soil moisture, daily; see the README of crest-data for their origin."""
    data: xr.Dataset = registry().load("data_sources", "schwingbach")("1D")
    return data


def build_graph(folder: Path, generator: torch.Generator) -> Graph:
    """Return the coupled graph; `folder` gets the ONNX file, the generator draws the first weights of networks."""
    components = registry()
    network = folder / "vegetation.onnx"
    export_onnx(vegetation(generator), network)
    parts: dict[str, Component] = {
        "snow": components.load("components", "snow-hbv")(**SNOW),
        "slope": slope(),
        "soil": components.load("components", "soil-bucket")(gradient=Pullback()),
        "surface": components.load("components", "et-penman-monteith")(altitude=ALTITUDE, generator=generator),
        "vegetation": components.load("backends", "onnx")(network),
    }
    return Graph(parts, CONNECTIONS)


def slope() -> Component:
    """Return the BMI model as a component: its whole state can be set, so that it has gradients and restarts."""
    store, share = {"bounds": (0.0, 1e5)}, {"bounds": (0.0, 0.97)}
    fields = dict.fromkeys(Slope.state_names, store) | {"infiltration_share": share, "overflow_share": share}
    component: Component = registry().load("backends", "bmi")(
        Slope, states=Slope.state_names, parameters=Slope.trained, fields=fields
    )
    return component


class Vegetation(nn.Module):
    """uptake = sigmoid(w h + b) demand, h from a GRU over the drivers: never more than demand, near half untrained."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(len(DRIVERS), UNITS), nn.Linear(UNITS, 1)
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(0.0, 0.3, generator=generator)

    def forward(self, drivers: Tensor, demand: Tensor, hx: Tensor) -> tuple[Tensor, Tensor]:
        hidden, after = self.gru(drivers, hx)
        return torch.sigmoid(self.head(hidden)) * demand, after


def vegetation(generator: torch.Generator) -> Component:
    """Return the untrained network in torch, before it leaves as a file."""
    names = [spec.name for spec in DRIVERS]
    scale = Standardize(  # round numbers for temperate land, not fitted
        mean=dict(zip(names, (10.0, 100.0, 0.28), strict=True)), std=dict(zip(names, (8.0, 80.0, 0.06), strict=True))
    )
    component: Component = registry().load("backends", "torch")(
        Vegetation(generator),
        inputs=(*DRIVERS, DEMAND),
        outputs=(UPTAKE,),
        states=(MEMORY,),
        input_maps=(
            TensorMap("drivers", names, "time ... -> time (...) field", scale),
            TensorMap("demand", ("demand",), "time ... -> time (...) field"),
        ),
        output_maps=(TensorMap("uptake", ("uptake",), "time ... -> time (...) field"),),
        state_maps=(TensorMap("hx", ("memory",), "... layer unit cell -> (field layer) (... cell) unit"),),
        dim_sizes={"layer": 1, "unit": UNITS},
    )
    return component
