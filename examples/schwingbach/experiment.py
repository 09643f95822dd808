"""The experiment of experiment.yaml: its schema, and the steps that the demo takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml
from crest_run import RunFile, build_graph, execute, load_run, open_forcing
from crest_training import Observation, TrainingRecord, day_of_year_climatology, fit
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from safetensors.torch import save_file

from crest_core import Component, Graph, registry, simulate

METRICS = ("nse", "kge", "rmse", "ubrmse", "bias")
MEAN_MOISTURE = "mean_root_zone_soil_moisture"


class Section(BaseModel):
    """A mapping without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Period(Section):
    """[start, end)."""

    start: date
    end: date


class Training(Period):
    """The training period, and how `crest_training.fit` goes through it."""

    spin_up: int
    epochs: PositiveInt
    physical_rate: PositiveFloat
    network_rate: PositiveFloat


class LeftOut(Period):
    """Observations that are not trained on, and why."""

    why: str


class Experiment(Section):
    """An experiment file."""

    coupled: Path
    uncoupled: Path | None = None
    observed: str
    training: Training
    leave_out: list[LeftOut] = []
    test: Period
    output: Path


def load_experiment(path: Path) -> Experiment:
    """Return the checked experiment file, its paths made absolute."""
    experiment = Experiment.model_validate(yaml.safe_load(path.read_text()))
    places = {key: getattr(experiment, key) for key in ("coupled", "uncoupled", "output")}
    return experiment.model_copy(
        update={key: (path.parent / place).resolve() for key, place in places.items() if place is not None}
    )


def read_data(run: RunFile, graph: Graph, experiment: Experiment) -> xr.Dataset:
    """Return weather and soil moisture up to the end of the test period, so that nothing later is seen."""
    data = open_forcing(run)
    known = data.isel(time=np.flatnonzero((data.time < np.datetime64(experiment.test.end)).values))
    return add_mean_moisture(known, graph, experiment)


def within(data: xr.DataArray, period: Period) -> xr.DataArray:
    """Return the values of [start, end)."""
    chosen = (data.time >= np.datetime64(period.start)) & (data.time < np.datetime64(period.end))
    return data.isel(time=np.flatnonzero(chosen.values))


def add_mean_moisture(data: xr.Dataset, graph: Graph, experiment: Experiment) -> xr.Dataset:
    """Return the data with the constant root-zone moisture that the uncoupled surface sees."""
    layers = within(data[experiment.observed], experiment.training).mean("time")
    thickness = [bottom - top for top, bottom in graph.layers["soil_layer"]]
    mean = layers.weighted(xr.DataArray(thickness, dims="soil_layer")).mean("soil_layer")
    constant = mean.expand_dims(time=data.time).transpose("time", "cell")
    attributes = {
        "standard_name": "volume_fraction_of_condensed_water_in_soil",
        "units": "1",
        "cell_methods": "time: point",
        "long_name": "mean over the training period of observed soil moisture, 0-0.6 m",
    }
    return data.assign({MEAN_MOISTURE: constant.drop_attrs().assign_attrs(attributes)})


def train(graph: Graph, data: xr.Dataset, experiment: Experiment) -> TrainingRecord:
    """Train a graph in place on the observed soil moisture of the training period."""
    plan = experiment.training
    observed = data[experiment.observed]
    for period in experiment.leave_out:
        chosen = within(observed, period).time
        observed = observed.where(~observed.time.isin(chosen))
    return fit(
        graph,
        data,
        [Observation("soil_moisture", observed)],
        start=plan.start.isoformat(),
        end=plan.end.isoformat(),
        epochs=plan.epochs,
        spin_up=plan.spin_up,
        physical_rate=plan.physical_rate,
        network_rate=plan.network_rate,
        progress=True,
    )


def run_moisture(graph: Graph, data: xr.Dataset, experiment: Experiment) -> xr.DataArray:
    """Return soil moisture from the start of training to the end of the test."""
    start, end = experiment.training.start.isoformat(), experiment.test.end.isoformat()
    results = simulate(graph, data, start=start, end=end, outputs=["soil_moisture"], progress=False)
    return results["soil_moisture"]


def climatology(data: xr.Dataset, experiment: Experiment) -> xr.DataArray:
    """Return the 31-day-smoothed day-of-year mean of the training years, at all times of the data."""
    known = within(data[experiment.observed], experiment.training)
    return day_of_year_climatology(known, data.time, window=31)


def score(simulated: xr.DataArray, data: xr.Dataset, experiment: Experiment) -> dict[str, Any]:
    """Return the metrics of the test period by name, each a list over depths."""
    observed = within(data[experiment.observed], experiment.test).transpose("time", ...)
    values = within(simulated, experiment.test).transpose("time", ...).values
    found: dict[str, Any] = {}
    for name in METRICS:
        metric: Callable[..., Any] = registry().load("metrics", name)
        found[name] = metric(values, observed.values)[:, 0].tolist()
    return found


def save_trained(graph: Graph, run: RunFile, experiment: Experiment, folder: Path) -> xr.Dataset:
    """Write weights and a run file that uses them, run it to the end of the test, and return its results.

    In the folder: trained.yaml, a .safetensors file for each component, and what the run writes: trained.nc,
    restart.safetensors and record.json.
    """
    content = yaml.safe_load(experiment.coupled.read_text())
    content["seed"] = run.seed
    content["period"] = {"start": experiment.training.start, "end": experiment.test.end}
    for name, component in graph.components.items():
        save_file(weights(component), folder / f"{name}.safetensors")
        content["graph"]["components"][name]["weights"] = f"{name}.safetensors"
    content["output"] = {
        "path": "trained.nc",
        "restart": "restart.safetensors",
        "record": "record.json",
    }
    trained = folder / "trained.yaml"
    trained.write_text(yaml.safe_dump(content, sort_keys=False))
    return execute(load_run(trained), progress=False)


def weights(component: Component) -> dict[str, Any]:
    """Return the trained tensors of a component, each in memory of its own."""
    return {name: value.contiguous().clone() for name, value in component.state_dict().items()}


def fresh_graph(run_file: Path, seed: int | None = None) -> tuple[RunFile, Graph]:
    """Return a run file and its graph, untrained; `seed` replaces the one of the file."""
    run = load_run(run_file)
    if seed is not None:
        run = run.model_copy(update={"seed": seed})
    return run, build_graph(run)
