"""Train a small LSTM of soil moisture on the Schwingbach record and write it as a model folder.

`python train.py` writes the folder schwingbach-soil-moisture beside this file: model.yaml and weights.safetensors.
About 15 seconds on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import xarray as xr
from crest_models import card, load_model, save_model
from crest_training.climatology import day_of_year_climatology
from torch import Tensor

from crest_core import Component, FieldSpec, Standardize, flushed_denormals, prepare, registry, simulate

INPUTS = (
    FieldSpec(name="rain", units="kg m-2 day-1", standard_name="precipitation_flux"),
    FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
    FieldSpec(name="sunshine", units="W m-2", standard_name="surface_downwelling_shortwave_flux_in_air"),
    FieldSpec(name="dryness", units="Pa", standard_name="water_vapor_saturation_deficit_in_air"),
)
MOISTURE = FieldSpec(
    name="soil_moisture",
    units="1",
    standard_name="volume_fraction_of_condensed_water_in_soil",
    dims=("soil_layer", "cell"),
    cell_methods="time: point",
    doc="at 10, 25 and 40 cm",
)
SEEDS = (1, 2, 3)  # whose spread is told
START, TEST, END = "2014-01-01", "2016-01-01", "2017-01-01"
SPIN_UP = 60  # days that are not scored: the network starts with an empty memory
DATA = (
    "Schwingbach, Hesse, Germany, one site: daily weather and soil moisture at 10, 25 and 40 cm from the hourly record "
    "that spotpy ships; free for any purpose with reference"
)
CITATION = (
    "Data: Chair of Landscape, Water and Biogeochemical Cycles, Justus Liebig University Giessen; "
    "Houska et al. (2015), doi:10.1371/journal.pone.0145180"
)
DESCRIPTION = """\
An LSTM over the weather of each day, a linear layer on top; an example of a model folder, no product.
Limits: one site and two years. The rain gauge seems blocked from 9 June to 24 July 2014, and these days are trained on
as they are. There is no water balance. The state starts at zero: leave out the first year.
"""


def main() -> None:
    """Train, judge on the year that was not seen, write, and load what was written."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "schwingbach-soil-moisture")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1, help="of the first weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = registry().load("data_sources", "schwingbach")("1D")
    with flushed_denormals():
        model = train(data, given.epochs, given.seed)
        others = [efficiency(run(train(data, given.epochs, seed), data), data) for seed in SEEDS]
        save_model(
            model,
            given.folder,
            name="schwingbach-soil-moisture",
            version="1.0",
            summary="Soil moisture at 10, 25 and 40 cm from the weather, an LSTM of one site",
            description=DESCRIPTION,
            licence="Apache-2.0",
            citation=CITATION,
            training={"data": DATA, "period": (START, TEST), "seed": given.seed, "skill": skill(model, others, data)},
            overwrite=True,
        )
    print(card(given.folder))
    print(f"\n{sum(parameter.numel() for parameter in load_model(given.folder).parameters())} numbers, loaded")


def train(data: xr.Dataset, epochs: int, seed: int) -> Component:
    """Return the LSTM after `epochs` over 2014 and 2015 as one sequence, on the squared error of soil moisture."""
    model = new_lstm(data, torch.Generator().manual_seed(seed))
    run = prepare(model, data, start=START, end=TEST)
    inputs, observed = run.inputs(), moisture(data)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        optimiser.zero_grad()
        outputs, _ = run.graph(run.state, inputs, run.clock.times)
        misfit = (outputs["soil_moisture"] - observed)[SPIN_UP:] / observed.std()
        misfit.square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def new_lstm(data: xr.Dataset, generator: torch.Generator) -> Component:
    """Return an untrained LSTM, scaled by the statistics of the training years in the units of its fields."""
    names = [spec.name for spec in (*INPUTS, MOISTURE)]
    unscaled = lstm(Standardize(mean=dict.fromkeys(names, 0.0), std=dict.fromkeys(names, 1.0)), generator)
    values = prepare(unscaled, data, start=START, end=TEST).inputs() | {"soil_moisture": moisture(data)}
    mean = {name: float(value.mean()) for name, value in values.items()}
    std = {name: float(value.std()) for name, value in values.items()}
    return lstm(Standardize(mean=mean, std=std), generator)


def lstm(scale: Standardize, generator: torch.Generator) -> Component:
    """Return one LSTM with three results."""
    component: Component = registry().load("backends", "torch-lstm")(
        inputs=INPUTS, outputs=(MOISTURE,), scale=scale, hidden=16, dim_sizes={"soil_layer": 3}, generator=generator
    )
    return component


def moisture(data: xr.Dataset) -> Tensor:
    """Return the observed soil moisture of the training years."""
    return torch.from_numpy(data["soil_moisture"].sel(time=slice(START, "2015-12-31")).values).float()


def run(model: Component, data: xr.Dataset) -> xr.DataArray:
    """Return simulated soil moisture of all three years."""
    return simulate(model, data, start=START, end=END)["soil_moisture"]


def skill(model: Component, others: list[dict[str, float]], data: xr.Dataset) -> dict[str, object]:
    """Return the Nash-Sutcliffe efficiency of 2016, which was not trained on, its spread, and that of the season."""
    past = data["soil_moisture"].sel(time=slice(START, "2015-12-31"))
    season = day_of_year_climatology(past, data["time"])
    spread = {depth: f"{min(o[depth] for o in others)} to {max(o[depth] for o in others)}" for depth in others[0]}
    return {
        "NSE of 2016, nothing tuned on that year": efficiency(run(model, data), data),
        f"NSE of 2016 with the seeds {', '.join(map(str, SEEDS))}": spread,
        "NSE of 2016 of the day-of-year climatology of 2014 and 2015": efficiency(season, data),
    }


def efficiency(simulated: xr.DataArray, data: xr.Dataset) -> dict[str, float]:
    """Return the Nash-Sutcliffe efficiency of 2016 by depth."""
    test = slice(TEST, "2016-12-31")
    observed = data["soil_moisture"].sel(time=test)
    values = simulated.sel(time=test).transpose(*observed.dims).values
    found = registry().load("metrics", "nse")(values, observed.values)[:, 0]
    return {
        f"{100 * depth:.0f} cm": round(float(nse), 2) for depth, nse in zip(data["depth"].values, found, strict=True)
    }


if __name__ == "__main__":
    main()
