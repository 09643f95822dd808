"""A soil-moisture network in an ONNX file: trained here, handed over as a file, coupled and trained on as a component.

One organisation trains an LSTM on two years of weather and soil moisture (Schwingbach, Germany) and gives away an ONNX
file. Another knows nothing of torch or the network: it loads the file, checks its hash, runs the third year, asks how
soil moisture depends on the weather, and goes on training. Under a minute on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path
from time import monotonic

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from crest_core import Component, FieldSpec, Standardize, flushed_denormals, prepare, registry, simulate

FORCING = (
    FieldSpec(name="rain", units="kg m-2 day-1", standard_name="precipitation_flux"),
    FieldSpec(name="warmth", units="degC", standard_name="air_temperature"),
    FieldSpec(name="sun", units="W m-2", standard_name="surface_downwelling_shortwave_flux_in_air"),
    FieldSpec(name="dryness", units="Pa", standard_name="water_vapor_saturation_deficit_in_air"),
)
MOISTURE = FieldSpec(
    name="soil_moisture",
    units="1",
    standard_name="volume_fraction_of_condensed_water_in_soil",
    dims=("soil_layer", "cell"),
    cell_methods="time: point",
)
TRAINING, TEST, END = "2014-01-01", "2016-01-01", "2017-01-01"
SPIN_UP = 60  # days that are not scored: the network starts from an empty memory


def main() -> None:
    """Train, export, load, judge, differentiate, train on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1, help="of the first weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = monotonic()
    with flushed_denormals(), tempfile.TemporaryDirectory() as folder:
        run_all(given.epochs, given.seed, Path(folder) / "soil.onnx")
    print(f"time: {monotonic() - began:.0f} s")


def run_all(epochs: int, seed: int, path: Path) -> None:
    """Print what each of the two organisations sees."""
    data = registry().load("data_sources", "schwingbach")("1D")
    network = new_network(data, torch.Generator().manual_seed(seed))
    fit(network, data, epochs, 0.01)
    write_onnx(network, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"ONNX file: {path.stat().st_size} bytes, sha256 {digest[:12]}...")

    soil = registry().load("backends", "onnx")(path, sha256=digest)
    ours, theirs = (simulate(one, data, start=TRAINING, end=END)["soil_moisture"] for one in (network, soil))
    print(f"torch and ONNX differ by at most {float(abs(ours - theirs).max()):.1e}")
    score("ONNX component", theirs, data)
    score("day-of-year climatology", climatology(data), data)
    show_sensitivity(soil, data)

    fit(soil, data, max(epochs // 10, 1), 0.002)
    score("trained on, as ONNX", simulate(soil, data, start=TRAINING, end=END)["soil_moisture"], data)


def new_network(data: xr.Dataset, generator: torch.Generator) -> Component:
    """Return an untrained LSTM component, scaled by the statistics of the training years."""
    names = [spec.name for spec in (*FORCING, MOISTURE)]
    plain = lstm(Standardize(mean=dict.fromkeys(names, 0.0), std=dict.fromkeys(names, 1.0)), generator)
    values = prepare(plain, data, start=TRAINING, end=TEST).inputs()  # in the units of the network
    values["soil_moisture"] = moisture(data)
    mean = {name: float(value.mean()) for name, value in values.items()}
    std = {name: float(value.std()) for name, value in values.items()}
    return lstm(Standardize(mean=mean, std=std), generator)


def lstm(scale: Standardize, generator: torch.Generator) -> Component:
    """Return one LSTM with three results, as the package crest-torch makes it."""
    component: Component = registry().load("backends", "torch-lstm")(
        inputs=FORCING, outputs=(MOISTURE,), scale=scale, hidden=16, dim_sizes={"soil_layer": 3}, generator=generator
    )
    return component


def moisture(data: xr.Dataset) -> Tensor:
    """Return the observed soil moisture of the training years."""
    return torch.from_numpy(data["soil_moisture"].sel(time=slice(TRAINING, "2015-12-31")).values).float()


def fit(component: Component, data: xr.Dataset, epochs: int, rate: float) -> None:
    """Train on the first two years as one sequence, on the squared error of soil moisture."""
    run = prepare(component, data, start=TRAINING, end=TEST)
    observed = moisture(data)
    optimiser = torch.optim.Adam(component.parameters(), lr=rate)
    inputs, spread = run.inputs(), observed.std()
    for _ in range(epochs):
        optimiser.zero_grad()
        outputs, _ = run.graph(run.state, inputs, run.clock.times)
        misfit = (outputs["soil_moisture"] - observed)[SPIN_UP:] / spread
        misfit.square().mean().backward()
        torch.nn.utils.clip_grad_norm_(component.parameters(), 1.0)
        optimiser.step()


def write_onnx(network: Component, path: Path) -> None:
    """Write the trained network with its fields, patterns and scaling; the file is checked at three lengths."""
    from crest_onnx import export_onnx

    export_onnx(network, path)


def climatology(data: xr.Dataset) -> xr.DataArray:
    """Return the mean of each day of the year over the training years, smoothed over 31 days."""
    past = data["soil_moisture"].sel(time=slice(TRAINING, "2015-12-31"))
    days = past.groupby("time.dayofyear").mean()
    smooth = (
        days.pad(dayofyear=15, mode="wrap").rolling(dayofyear=31, center=True).mean().isel(dayofyear=slice(15, -15))
    )
    table = smooth.assign_coords(dayofyear=days["dayofyear"]).reindex(dayofyear=np.arange(1, 367), method="nearest")
    return table.sel(dayofyear=data["time"].dt.dayofyear)


def score(name: str, simulated: xr.DataArray, data: xr.Dataset) -> None:
    """Print the Nash-Sutcliffe efficiency of the test year by depth."""
    test = slice(TEST, "2016-12-31")
    values, observed = simulated.sel(time=test).values, data["soil_moisture"].sel(time=test).values
    found = registry().load("metrics", "nse")(values, observed)[:, 0]
    depths = 100 * data["depth"].values
    print(
        f"{name:<24} "
        + ", ".join(f"NSE {nse:5.2f} at {depth:.0f} cm" for nse, depth in zip(found, depths, strict=True))
    )


def show_sensitivity(soil: Component, data: xr.Dataset) -> None:
    """Print how soil moisture on 1 July 2016 answers to 10 mm more rain on single earlier days: one exact gradient."""
    run = prepare(soil, data, start=TEST, end="2016-07-01")
    inputs = {name: value.clone().requires_grad_() for name, value in run.inputs().items()}
    outputs, _ = run.graph(run.state, inputs, run.clock.times)
    outputs["soil_moisture"][-1, 0, 0].backward()
    rain = torch.zeros_like(inputs["rain"]) if inputs["rain"].grad is None else inputs["rain"].grad
    answers = ", ".join(f"{10 * float(rain[-days]):+.4f} after {days} days" for days in (1, 10, 30))
    print(f"10 mm of rain change soil moisture at 10 cm by {answers} (to first order)")


if __name__ == "__main__":
    main()
