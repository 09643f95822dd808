"""What is trained, in order: snow alone, streamflow alone, both coupled with snow frozen, both together.

Each stage has a folder with its checkpoint: a run that was stopped goes on from there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
import xarray as xr
from basin_models import (
    DISCHARGE,
    MELT_WATER,
    SNOW,
    Kinds,
    coupled,
    generator,
    handed_over,
    scale,
    snow_model,
    streamflow_model,
)
from basin_sets import BasinSet, observed_spread, statistics
from crest_samples import TrainingSamples
from crest_training import Objective, Optimiser, Schedule, train
from crest_training.losses import Standardised, nse

from crest_core import Component, simulate

SNOW_ALONE, ALONE, COUPLED, JOINT = "snow alone", "streamflow alone", "coupled, snow frozen", "coupled, fine-tuned"
ARMS = (SNOW_ALONE, ALONE, COUPLED, JOINT)
MELT = "surface_snow_melt_flux"


@dataclass(frozen=True)
class Plan:
    """How long and how fast; alone and coupled streamflow are trained for the same number of epochs."""

    snow: int = 6
    """Epochs of snow alone."""
    first: int = 5
    """Epochs of streamflow, alone or with a frozen snow."""
    further: int = 4
    """Epochs after them: on as before, or with both models on both observations."""
    steps: int = 365
    every: int = 90
    """Days between the starts of two samples of a basin."""
    batch: int = 128
    rate: float = 5e-3
    physical_rate: float = 2e-2
    further_share: float = 0.3
    """Of the rates, in the further epochs."""
    snow_weight: float = 1.0
    """Of SWE in the fine-tuning, beside 1 of discharge."""


@dataclass(frozen=True)
class Stages:
    """The training of one seed."""

    basins: BasinSet
    kinds: Kinds
    plan: Plan
    seed: int
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage, over all its resumptions."""

    def models(self) -> dict[str, Component]:
        """Return the trained model of each arm."""
        mean, std = statistics(self.basins.data, self.basins.train)
        snow = snow_model(self.kinds, self.seed)
        scale(snow, mean, std)
        self._train("snow", snow, [SNOW], self.plan.snow)
        alone = streamflow_model(self.kinds, self.seed, external_snow=False)
        scale(alone, mean, std)
        self._train("alone-first", alone, [DISCHARGE], self.plan.first)
        self._train("alone-further", alone, [DISCHARGE], self.plan.further)
        graph = coupled(copy.deepcopy(snow), self._fed_by(snow, mean, std))
        self._train("coupled-first", graph, [DISCHARGE], self.plan.first, frozen=["snow"])
        joint = copy.deepcopy(graph)
        self._train("coupled-further", graph, [DISCHARGE], self.plan.further, frozen=["snow"])
        self._train("joint-further", joint, [DISCHARGE, SNOW], self.plan.further)
        return {SNOW_ALONE: snow, ALONE: alone, COUPLED: graph, JOINT: joint}

    def _fed_by(self, snow: Component, mean: dict[str, float], std: dict[str, float]) -> Component:
        """Return a streamflow model scaled by what the trained snow hands over in the years of training."""
        streamflow = streamflow_model(self.kinds, self.seed, external_snow=True)
        start = before(self.basins.train[0], self.basins.spin_up)
        made = handed_over(snow, self.basins.data, start, self.basins.train)
        own_mean = {name: float(made[name].mean()) for name in (MELT_WATER, SNOW)}
        own_std = {name: float(made[name].std()) for name in (MELT_WATER, SNOW)}
        scale(streamflow, mean | own_mean, std | own_std)
        return streamflow

    def _train(
        self, stage: str, model: Component, targets: Sequence[str], epochs: int, frozen: Sequence[str] = ()
    ) -> None:
        """Train a model in place on samples of the years of training."""
        basins, plan = self.basins, self.plan
        names = [spec.name for spec in model.inputs]
        samples = TrainingSamples(
            basins.data[names], basins.data[list(targets)], steps=plan.steps, spin_up=basins.spin_up, every=plan.every
        )
        loader = samples.loader(basins.train, batch=plan.batch, generator=generator(self.seed, f"samples {stage}"))
        share = plan.further_share if stage.endswith("further") else 1.0
        record = train(
            model,
            loader,
            objectives(basins, targets, plan.snow_weight),
            epochs=epochs,
            optimiser=Optimiser(
                network_rate=plan.rate * share,
                physical_rate=plan.physical_rate * share,
                schedule=Schedule("one-cycle", rise=0.1),
            ),
            frozen=frozen,
            seed=self.seed,
            folder=self.folder / stage,
            resume=True,
            checkpoint_every=20,
            progress=False,
        )
        model.eval()
        self.seconds[stage] = round(record.seconds, 1)


def objectives(basins: BasinSet, targets: Sequence[str], snow_weight: float) -> list[Objective]:
    """Return NSE* of each target, all scales from the years of training."""
    mean, std = statistics(basins.data, basins.train)
    found = []
    for name in targets:
        spread = torch.tensor(observed_spread(basins.data, name, basins.train) / std[name], dtype=torch.float32)
        space = Standardised(mean[name], std[name])
        found.append(Objective(name, nse, weight=snow_weight if name == SNOW else 1.0, transform=space, scale=spread))
    return found


def predictions(model: Component, basins: BasinSet) -> xr.Dataset:
    """Return discharge, SWE and melt of the scored period, as far as the model has them."""
    known = {spec.name for spec in model.outputs}
    outputs = [name for name in (DISCHARGE, SNOW, MELT) if name in known]
    start = before(basins.test[0], basins.spin_up)
    made = simulate(model, basins.data, start=start, end=basins.test[1], outputs=outputs, progress=False)
    return made.sel(time=slice(basins.test[0], None))


def before(day: str, days: int) -> str:
    """Return the date some days before another."""
    return (pd.Timestamp(day) - pd.Timedelta(days=days)).date().isoformat()
