"""What is trained, in order: components apart, without and with what the others observed, then both graphs, tuned.

Each stage has a folder with its checkpoint: a run that was stopped goes on from there.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from crest_samples import TrainingSamples
from crest_training import Objective, Optimiser, Schedule, train
from crest_training.losses import Standardised, nse
from tower_models import (
    ET,
    ET_OF_SOIL,
    MOISTURE,
    PARTS,
    TARGETS,
    Sizes,
    component,
    generator,
    one_way,
    scale,
    stitched,
    two_way,
)
from tower_sets import TowerSet, handed_over, statistics

from crest_core import Component, simulate

ALONE, ONE_WAY, TWO_WAY = "alone", "one-way", "two-way"
ONE_WAY_TUNED, TWO_WAY_TUNED, STITCHED = "one-way, tuned", "two-way, tuned", "cross-stitch"
ARMS = (ALONE, ONE_WAY, ONE_WAY_TUNED, TWO_WAY, TWO_WAY_TUNED, STITCHED)
DAY = 86400.0  # s

Parts = dict[str, Component]


@dataclass(frozen=True)
class Plan:
    """How long and how fast; every arm has the same number of epochs of the same samples."""

    first: int = 20
    """Epochs of each component apart, or of the stitched ones together."""
    further: int = 8
    """Epochs after them: on as before, or all three targets through a graph."""
    steps: int = 180
    spin_up: int = 180
    every: int = 30
    """Days between the starts of two samples of a tower."""
    batch: int = 16
    rate: float = 5e-3
    further_share: float = 0.3
    """Of the rate, in the further epochs."""


@dataclass(frozen=True)
class Stages:
    """The training of one seed."""

    towers: TowerSet
    sizes: Sizes
    plan: Plan
    seed: int
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage, over all its resumptions."""

    def models(self, arms: Sequence[str] = ARMS) -> dict[str, Parts]:
        """Return the trained model of each arm, all components of the arm alone."""
        nothing, observed = (handed_over(self.towers, observed=one) for one in (False, True))
        start = statistics(self.towers)[0][MOISTURE]
        begun = self._apart("alone", nothing, None)
        taught = self._apart("taught", observed, None)
        alone = self._apart("alone", nothing, begun)
        made: dict[str, Parts] = {ALONE: alone}
        if {ONE_WAY, TWO_WAY} & set(arms):
            on = self._apart("taught", observed, taught)
            made[ONE_WAY] = {"graph": one_way(copied(on) | copied(alone, ["soil"]), start)}
            made[TWO_WAY] = {"graph": two_way(copied(on), start)}
        if ONE_WAY_TUNED in arms:
            graph = one_way(copied(taught) | copied(begun, ["soil"]), start)
            self._train("one-way-further", graph, nothing, TARGETS, self.plan.further)
            made[ONE_WAY_TUNED] = {"graph": graph}
        if TWO_WAY_TUNED in arms:
            graph = two_way(copied(taught), start)
            self._train("two-way-further", graph, nothing, TARGETS, self.plan.further)
            made[TWO_WAY_TUNED] = {"graph": graph}
        if STITCHED in arms:
            network = stitched(self.sizes, self.seed)
            scale(network, *daily(*statistics(self.towers)))
            for stage, epochs in (("first", self.plan.first), ("further", self.plan.further)):
                self._train(f"stitched-{stage}", network, nothing, TARGETS, epochs)
            made[STITCHED] = {"network": network}
        return {arm: made[arm] for arm in ARMS if arm in arms}

    def _apart(self, name: str, inputs: xr.Dataset, begun: Parts | None) -> Parts:
        """Return the components, each trained on its own target: first, or further from those that have begun."""
        found = {}
        for part, target in PARTS.items():
            model = component(part, self.sizes, self.seed) if begun is None else copy.deepcopy(begun[part])
            if begun is None:
                scale(model, *statistics(self.towers))
            epochs, stage = (self.plan.first, "first") if begun is None else (self.plan.further, "further")
            self._train(f"{name}-{part}-{stage}", model, inputs, [target], epochs)
            found[part] = model
        return found

    def _train(self, stage: str, model: Component, inputs: xr.Dataset, targets: Sequence[str], epochs: int) -> None:
        """Train a model in place on samples of the training part; a window with a day of the test is none of them."""
        plan, observed = self.plan, self.towers.training()[[*TARGETS, ET_OF_SOIL]]
        samples = TrainingSamples(
            inputs[[spec.name for spec in model.inputs]], observed, steps=plan.steps, spin_up=plan.spin_up,
            every=plan.every,
        )  # fmt: skip
        days = observed["time"].dt.strftime("%Y-%m-%d").values
        loader = samples.loader(
            (str(days[0]), str(days[-1])), batch=plan.batch, generator=generator(self.seed, f"samples {stage}")
        )
        record = train(
            model,
            loader,
            objectives(self.towers, model, targets),
            epochs=epochs,
            optimiser=Optimiser(
                network_rate=plan.rate * (plan.further_share if stage.endswith("further") else 1.0),
                schedule=Schedule("one-cycle", rise=0.1),
            ),
            seed=self.seed,
            folder=self.folder / stage,
            resume=True,
            checkpoint_every=20,
            progress=False,
        )
        model.eval()
        self.seconds[stage] = round(record.seconds, 1)


def objectives(towers: TowerSet, model: Component, targets: Sequence[str]) -> list[Objective]:
    """Return NSE* of each target: errors over the spread of each tower, so that towers weigh alike."""
    mean, std = statistics(towers)
    units, found = {spec.name: spec.units for spec in model.outputs}, []
    for name in targets:
        observed = ET_OF_SOIL if name == ET and "day" in units[name] else name
        spread = towers.training()[observed].std("time").values / std[observed]
        space = Standardised(mean[observed], std[observed])
        scales = torch.from_numpy(spread.astype(np.float32))
        found.append(Objective(name, nse, target=observed, transform=space, scale=scales))
    return found


def predictions(models: Mapping[str, Component], towers: TowerSet, tower: str) -> xr.Dataset:
    """Return soil moisture, evapotranspiration [kg m-2 day-1] and NEE of the scored days of a tower.

    Models run from the first day of its record on. A model alone is handed the mean of what it lacks.
    """
    mean, data = statistics(towers)[0], towers.of(tower)
    for name in (MOISTURE, ET_OF_SOIL):
        data[name] = xr.full_like(data[name], mean[name])
    made = xr.Dataset()
    for model in models.values():
        known = [spec.name for spec in model.outputs if spec.name in TARGETS]
        ran = simulate(model, data[[spec.name for spec in model.inputs]], outputs=known, progress=False)
        made = made.assign({name: ran[name] for name in known})
    if "day" not in str(made[ET].attrs["units"]):
        made[ET] = (made[ET] * DAY).assign_attrs({**made[ET].attrs, "units": "kg m-2 day-1"})
    return made.sel(time=slice(towers.split[tower], None))


def copied(parts: Parts, names: Sequence[str] = tuple(PARTS)) -> Parts:
    """Return copies of components, so that what trains on does not change what it began from."""
    return {name: copy.deepcopy(parts[name]) for name in names}


def daily(mean: Mapping[str, float], std: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return statistics for a model that gives evapotranspiration a day, without those of soil moisture."""
    both = ({**one, ET: one[ET_OF_SOIL]} for one in (mean, std))
    first, second = ({name: value for name, value in one.items() if name != MOISTURE} for one in both)
    return first, second
