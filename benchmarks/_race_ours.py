"""Our side of the race with NeuralHydrology, and what both sides race on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from _neuralhydrology_side import Setup, within
from _race import Clock, Curve, median_nse
from _skill_data import TARGET, Basins, camels, invented
from _skill_training import SPIN_UP, Recipe, generator, loader_of, statistics
from crest_samples import Batch, Loader
from crest_training import Objective, Optimiser, Schedule, train
from crest_training.losses import Standardised, nse
from torch import Tensor

from crest_core import Component, Sizes, registry

BASINS = 24


@dataclass(frozen=True)
class Plan:
    """Sizes of a race; the settings of each side are below."""

    hidden: int = 64
    sequence: int = 365  # of NeuralHydrology
    steps: int = 365  # scored of ours, after as many of spin-up
    epochs: int = 60  # of ours, at the end of which its learning rate is low
    every: int = 30  # days between the starts of our windows
    batch: int = 64  # ours
    rate: float = 5e-3  # ours
    piece: int = 50  # updates between two looks at the validation days, of NeuralHydrology
    look: int = 9  # the same of ours
    seeds: tuple[int, ...] = (1, 2, 3)


QUICK = Plan(hidden=8, sequence=30, steps=60, epochs=2, every=30, batch=8, piece=20, look=1, seeds=(1,))


def basins(quick: bool) -> Basins:
    """Return the first 24 basins by the sha256 of their name, or invented ones."""
    if quick:
        return invented(basins=3)
    held = camels()
    return held.of(sorted(held.ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())[:BASINS])


def model_of(plan: Plan, seed: int) -> Component:
    """Return the untrained LSTM, with the dropout of Kratzert et al. (2019), as NeuralHydrology's."""
    make = registry().load("components", "streamflow-lstm")
    model: Component = make(hidden=plan.hidden, dropout=0.4, generator=generator(seed, "weights"))
    return model


def neuralhydrology(plan: Plan, held: Basins, last: int) -> Setup:
    """Return NeuralHydrology's side with `predict_last_n: last`, else as Kratzert et al. (2019) train."""
    inputs = model_of(plan, 1).inputs
    options = {
        "hidden_size": plan.hidden, "output_dropout": 0.4, "loss": "NSE", "batch_size": 256, "seed": 1,
        "learning_rate": {"0": 1e-3, "11": 5e-4, "21": 1e-4}, "clip_gradient_norm": 1,
        "seq_length": plan.sequence, "predict_last_n": last,
    }  # fmt: skip
    moving, static = ([spec.name for spec in inputs if spec.static is fixed] for fixed in (False, True))
    return Setup(moving, TARGET, held.split.fit, held.split.validate, options, static)


def race(plan: Plan, held: Basins, seed: int, folder: Path, *, until: float, seconds: float) -> tuple[Curve, float]:
    """Train until a look at the validation days shows the NSE `until`, or so long; go on from the folder.

    Returns the curve, and the seconds that passed before training: samples and model.
    """
    settings = {key: value for key, value in vars(plan).items() if key != "seeds"}
    curve = Curve.open(folder / "curve.json", settings | {"seed": seed, "threads": torch.get_num_threads()})
    if curve.reached(until) is not None:
        return curve, 0.0
    began = perf_counter()
    recipe = Recipe(lambda _: model_of(plan, seed), plan.epochs, plan.every, plan.batch, plan.rate, steps=plan.steps)
    model = recipe.build(generator(seed, "weights"))
    mean, std = statistics(model, held.data, held.split.fit)
    model.standardise(mean, std)
    spread = within(held.data[TARGET], held.split.fit).std("time").values / std[TARGET]
    space = Standardised(mean[TARGET], std[TARGET])
    objective = Objective(TARGET, nse, transform=space, scale=torch.tensor(spread, dtype=torch.float32))
    loader = loader_of(recipe, model, held.data, held.split.fit, seed)
    looked = Looked(loader, plan.look, curve, Validation.of(model, held), until, seconds)
    rate = Optimiser(network_rate=plan.rate, schedule=Schedule("one-cycle", rise=0.1))
    opening = perf_counter() - began
    try:
        train(
            model, looked, [objective], epochs=plan.epochs, optimiser=rate, precision="bf16", seed=seed,
            folder=folder, resume=True, progress=False,
        )  # fmt: skip
    except RaceOver:
        pass
    return curve, opening


class RaceOver(Exception):
    """Ends a training in the middle of an epoch."""


@dataclass(frozen=True)
class Validation:
    """The score of the validation days, after a spin-up on the forcing before them."""

    model: Component
    inputs: Mapping[str, Tensor]
    observed: np.ndarray
    basins: int

    @staticmethod
    def of(model: Component, held: Basins) -> Validation:
        """Return the validation of a model on basins."""
        first = (pd.Timestamp(held.split.validate[0]) - pd.Timedelta(days=SPIN_UP)).date().isoformat()
        period = (first, held.split.validate[1])
        inputs = {
            spec.name: torch.from_numpy(
                held.data[spec.name].values if spec.static else within(held.data[spec.name], period).values.copy()
            )
            for spec in model.inputs
        }
        return Validation(model, inputs, within(held.data[TARGET], held.split.validate).values, len(held.ids))

    @torch.no_grad()
    def nse(self) -> float:
        """Return the median NSE; the model is in the mode of training afterwards."""
        steps = len(self.observed) + SPIN_UP
        self.model.eval()
        outputs, _ = self.model(self.model.initial_state(Sizes({"cell": self.basins})), self.inputs, range(steps))
        self.model.train()
        return median_nse(outputs[TARGET][SPIN_UP:].numpy(), self.observed)


class Looked:
    """The batches of a loader, with a look at the validation days after every few of them, while the clock stands."""

    def __init__(
        self, loader: Loader, every: int, curve: Curve, validation: Validation, until: float, seconds: float
    ) -> None:
        self.loader, self.every, self.curve, self.validation = loader, every, curve, validation
        self.until, self.seconds = until, seconds
        self.updates, self.clock = 0, Clock()
        self._begun = False

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        if not self._begun:  # after a resumption what the curve tells of later updates is forgotten
            self._begun, self.clock = True, self.curve.back_to(self.updates)
            self.clock.start()
        batches = iter(self.loader)
        while (batch := self._next(batches)) is not None:
            yield batch
            self.updates += 1
            if self.updates % self.every == 0:
                self._look()

    def state(self) -> dict[str, Tensor]:
        """Return the state of the loader."""
        return self.loader.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        self.loader.restore(state)
        self.updates = int(state["epoch"]) * len(self.loader) + int(state["cursor"])

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        began = perf_counter()
        batch = next(batches, None)
        self.clock.loading += perf_counter() - began
        return batch

    def _look(self) -> None:
        self.clock.stop()
        self.curve.add(self.clock, self.updates, self.loader.epoch + 1, self.validation.nse())
        if self.curve.points[-1]["nse"] >= self.until or self.clock.seconds > self.seconds:
            raise RaceOver
        self.clock.start()
