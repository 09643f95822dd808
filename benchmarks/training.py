"""Training in mini-batches: `crest_training.train` beside a bare torch loop with the same network.

  training.batches   batches per second: an LSTM of hidden 256 with a linear head, batches of 64 samples of 730 steps of
                     32 inputs, of which 365 are scored, mean squared error, Adam, clipped gradients; samples are cut
                     by crest-samples and train the component of the backend torch-lstm
  baseline           torch: nn.LSTM and nn.Linear on arrays that were scaled beforehand, windows cut by indexing, the
                     same order, loss, optimiser and weights at the start
Both sides must give the same losses, batch for batch, before anything is timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from _report import Options, Report, options
from _timing import Gate, interleave
from crest_samples import Loader, Samples, Shuffled, Source, Window, make_samples
from crest_samples.example import days
from crest_torch import LSTMRegressor, lstm_component
from crest_training import Objective, Optimiser, train
from crest_training.losses import Standardised
from torch import Tensor, nn

from crest_core import FieldSpec, Standardize

PAIRS = 30
SEED = 7
RATE, CLIP = 1e-3, 1.0
MEAN, STD = 2.0, 3.0  # of every field


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

    @property
    def names(self) -> list[str]:
        """Names of the inputs."""
        return [f"input_{i}" for i in range(self.inputs)]


def main() -> None:
    """Time both loops and print a line."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-samples", "crest-torch", "crest-training", "torch"))
    case = Case(hidden=16, batch=8, steps=30, spin_up=30, inputs=3) if chosen.quick else Case()
    compare(case, chosen, report)


def compare(case: Case, chosen: Options, report: Report) -> None:
    """Check that both loops learn the same, and time them."""
    samples = make(case)
    theirs = Bare(case, samples)
    ours = train(component(case), loader(case, samples), objectives(), epochs=1, optimiser=optimiser(), progress=False)
    other = theirs.train()
    if not np.allclose(ours.batches, other, rtol=1e-4):
        raise SystemExit(f"the losses differ, {ours.batches} and {other}, so that times cannot be compared")

    def crest() -> object:
        model = component(case)
        return train(model, loader(case, samples), objectives(), epochs=1, optimiser=optimiser(), progress=False)

    seconds = interleave({"crest": crest, "torch": theirs.train}, chosen.pairs)
    report.compare(
        "training.batches",
        seconds["crest"] / case.batches,
        seconds["torch"] / case.batches,
        unit="s per batch",
        scale=1.0,
        baseline="bare torch loop",
        speed=True,
        gate=Gate("ratio", at_least=0.95),
        hidden=case.hidden,
        batch=case.batch,
        steps=case.spin_up + case.steps,
        inputs=case.inputs,
    )


def make(case: Case) -> Samples:
    """Return as many samples as an epoch of the case has."""
    random = np.random.default_rng(SEED)
    length = case.spin_up + case.steps
    starts = -(-case.batch * case.batches // case.places)
    shape = (length + starts - 1, case.places)
    held = {
        name: (("time", "cell"), (MEAN + STD * random.standard_normal(shape)).astype(np.float32))
        for name in (*case.names, "flow")
    }
    coordinates = {"time": days(shape[0]), "cell_id": ("cell", np.arange(case.places).astype(str))}
    coordinates |= {name: ("cell", np.zeros(case.places)) for name in ("lat", "lon")}
    data = xr.Dataset(held, coordinates)
    window = Window(case.steps, spin_up=case.spin_up)
    return make_samples([Source(data, tuple(case.names))], [Source(data, ("flow",))], window)


def loader(case: Case, samples: Samples) -> Loader:
    """Return the batches of one epoch."""
    order = Shuffled(len(samples))
    return Loader(samples, order, case.batch, torch.Generator().manual_seed(SEED))


def component(case: Case) -> nn.Module:
    """Return the LSTM as a component, with the weights that both sides begin with."""
    fields = [FieldSpec(name=name, units="1") for name in (*case.names, "flow")]
    scale = Standardize({spec.name: MEAN for spec in fields}, {spec.name: STD for spec in fields})
    generator = torch.Generator().manual_seed(SEED)
    return lstm_component(inputs=fields[:-1], outputs=fields[-1:], scale=scale, hidden=case.hidden, generator=generator)


def optimiser() -> Optimiser:
    """Return the optimiser of both sides."""
    return Optimiser("adam", network_rate=RATE, clip=CLIP)


def objectives() -> list[Objective]:
    """Return the squared error of standardised values."""
    return [Objective("flow", transform=Standardised(MEAN, STD))]


class Bare:
    """The same training as one writes it in torch, with scaled arrays."""

    def __init__(self, case: Case, samples: Samples) -> None:
        self.case = case
        series, targets = samples.inputs.series.values, samples.targets.series.values
        self.inputs, self.targets = (series - MEAN) / STD, (targets - MEAN) / STD
        self.place, self.start = samples.index.long().T

    def train(self) -> list[float]:
        """Return the losses of an epoch."""
        generator = torch.Generator().manual_seed(SEED)
        model = LSTMRegressor(self.case.inputs, 1, hidden=self.case.hidden, generator=generator)
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

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (time, sample, input) and targets of the scored steps (time, sample, 1)."""
        order = Shuffled(len(self.place)).draw(torch.Generator().manual_seed(SEED))
        length = torch.arange(self.case.spin_up + self.case.steps)[:, None]
        for first in range(0, len(order), self.case.batch):
            chosen = order[first : first + self.case.batch]
            place, steps = self.place[chosen], self.start[chosen] + length
            yield self.inputs[place, steps], self.targets[place, steps[self.case.spin_up :]]


if __name__ == "__main__":
    main()
