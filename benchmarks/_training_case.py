"""One training in mini-batches, written for CREST, in bare torch and for NeuralHydrology."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from _neuralhydrology_side import Setup
from crest_samples import Loader, Shuffled, TrainingSamples
from crest_samples.example import days
from crest_torch import LSTMRegressor, lstm_component
from crest_training import Objective, Optimiser, train
from crest_training.losses import Standardised
from torch import Tensor, nn

from crest_core import Component, FieldSpec, Standardize

SEED = 7
RATE, CLIP = 1e-3, 1.0
MEAN, STD = 2.0, 3.0  # of every field
TARGET = "flow"


@dataclass(frozen=True)
class Case:
    """Sizes of network and batches."""

    hidden: int = 256
    batch: int = 64
    steps: int = 365
    spin_up: int = 365
    inputs: int = 32
    batches: int = 2
    places: int = 16
    dropout: float = 0.0

    @property
    def names(self) -> list[str]:
        """Names of the inputs."""
        return [f"input_{i}" for i in range(self.inputs)]


def make(case: Case) -> xr.Dataset:
    """Return random fields (time, cell) with as many windows as an epoch has samples."""
    random = np.random.default_rng(SEED)
    length = case.spin_up + case.steps
    starts = -(-case.batch * case.batches // case.places)
    shape = (length + starts - 1, case.places)
    held = {name: random.standard_normal(shape) for name in (*case.names, TARGET)}
    scored = {name: case.spin_up if name == TARGET else 0 for name in held}  # statistics are of these days
    held = {name: (one - one[scored[name] :].mean()) / one[scored[name] :].std() for name, one in held.items()}
    fields = {name: (("time", "cell"), (MEAN + STD * one).astype(np.float32)) for name, one in held.items()}
    coordinates = {"time": days(shape[0]), "cell_id": ("cell", np.arange(case.places).astype(str))}
    coordinates |= {name: ("cell", np.zeros(case.places)) for name in ("lat", "lon")}
    return xr.Dataset(fields, coordinates)


class Crest:
    """`crest_training.train` with TrainingSamples and the component of the backend torch-lstm."""

    def __init__(self, case: Case, data: xr.Dataset) -> None:
        self.case = case
        self.held = TrainingSamples(data[case.names], data[[TARGET]], steps=case.steps, spin_up=case.spin_up)

    def loader(self) -> Loader:
        """Return the batches of one epoch."""
        times = self.held.targets["time"].values
        period = (str(times[self.case.spin_up])[:10], str(times[-1] + np.timedelta64(1, "D"))[:10])
        return self.held.loader(period, batch=self.case.batch, generator=torch.Generator().manual_seed(SEED))

    def component(self) -> Component:
        """Return the LSTM as a component, with the weights that all sides begin with."""
        fields = [FieldSpec(name=name, units="1") for name in (*self.case.names, TARGET)]
        scale = Standardize({spec.name: MEAN for spec in fields}, {spec.name: STD for spec in fields})
        return lstm_component(
            inputs=fields[:-1], outputs=fields[-1:], scale=scale, hidden=self.case.hidden, dropout=self.case.dropout,
            generator=torch.Generator().manual_seed(SEED),
        )  # fmt: skip

    def train(self) -> tuple[float, ...]:
        """Return the losses of an epoch."""
        objective = Objective(TARGET, transform=Standardised(MEAN, STD))
        optimiser = Optimiser("adam", network_rate=RATE, clip=CLIP)
        made = train(self.component(), self.loader(), [objective], epochs=1, optimiser=optimiser, progress=False)
        return made.batches


class Bare:
    """The same training as one writes it in torch, with scaled arrays."""

    def __init__(self, case: Case, data: xr.Dataset, index: Tensor) -> None:
        self.case = case
        inputs = np.stack([data[name].values.T for name in case.names], axis=-1)
        targets = data[TARGET].values.T[..., None]
        self.inputs, self.targets = (torch.from_numpy((one - MEAN) / STD) for one in (inputs, targets))
        self.place, self.start = index.long().T

    def model(self) -> LSTMRegressor:
        """Return the network with the weights that all sides begin with."""
        generator = torch.Generator().manual_seed(SEED)
        case = self.case
        return LSTMRegressor(case.inputs, 1, hidden=case.hidden, dropout=case.dropout, generator=generator)

    def train(self) -> list[float]:
        """Return the losses of an epoch."""
        model = self.model()
        adam = torch.optim.Adam(model.parameters(), lr=RATE)
        losses = []
        for x, y in self.batches():
            adam.zero_grad()
            simulated = model(x)[0][self.case.spin_up :]
            loss = ((simulated - y) ** 2).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            adam.step()
            losses.append(float(loss.detach()))
        return losses

    def order(self) -> Tensor:
        """Return the numbers of the samples in the order of training."""
        return Shuffled(len(self.place)).draw(torch.Generator().manual_seed(SEED))

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (time, sample, input) and targets of the scored steps (time, sample, 1)."""
        order = self.order()
        length = torch.arange(self.case.spin_up + self.case.steps)[:, None]
        for first in range(0, len(order), self.case.batch):
            chosen = order[first : first + self.case.batch]
            place, steps = self.place[chosen], self.start[chosen] + length
            yield self.inputs[place, steps], self.targets[place, steps[self.case.spin_up :]]


def keep_weights(model: LSTMRegressor, path: Path) -> None:
    """Keep the weights for another process."""
    torch.save({"lstm": model.lstm.state_dict(), "head": model.head.state_dict()}, path)


def neuralhydrology(case: Case, data: xr.Dataset) -> Setup:
    """Return the same training for NeuralHydrology: its squared error is half of ours, and so is its clip."""
    times = data["time"].values
    period = (str(times[case.spin_up])[:10], str(times[-1] + np.timedelta64(1, "D"))[:10])
    options = {
        "hidden_size": case.hidden, "output_dropout": case.dropout, "loss": "MSE", "batch_size": case.batch,
        "learning_rate": {"0": RATE}, "clip_gradient_norm": CLIP / 2, "seed": SEED,
        "seq_length": case.spin_up + case.steps, "predict_last_n": case.steps,
    }  # fmt: skip
    return Setup(case.names, TARGET, period, period, options)
