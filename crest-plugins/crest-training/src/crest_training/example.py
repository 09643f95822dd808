"""Small made-up rivers, for tests and pages: a linear reservoir, a network, rain, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import FieldSpec, PhysicalParameters, SequenceComponent, Sizes, StepComponent, Tensors
from crest_training.descent import Optimiser
from crest_training.objective import Objective
from crest_training.schedule import Schedule
from crest_training.training import train

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="rainfall_flux")
FLOW = FieldSpec(name="flow", units="mm day-1", standard_name="runoff_flux")


class Reservoir(StepComponent):
    """Outflow k S of a linear reservoir."""

    inputs, outputs = (RAIN,), (FLOW,)
    states = (FieldSpec(name="storage", units="mm", cell_methods="time: point"),)
    parameter_specs = (FieldSpec(name="rate", units="day-1", dims=(), static=True, bounds=(0.01, 0.9)),)

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.physical = PhysicalParameters(self.parameter_specs, {"rate": rate})

    def initial_state(self, sizes: Sizes) -> Tensors:
        return {"storage": sizes.zeros(self.states[0])}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        storage = state["storage"] + inputs["rain"]
        outflow = self.physical.values()["rate"] * storage
        return {"flow": outflow}, {"storage": storage - outflow}

    @property
    def rate(self) -> float:
        """The share that leaves in a day."""
        return float(self.physical.values()["rate"].detach())


class Network(SequenceComponent):
    """A small recurrent network with dropout, over samples and cells."""

    inputs, outputs = (RAIN,), (FLOW,)
    states = (FieldSpec(name="hidden", units="1", dims=("unit", "cell"), cell_methods="time: point"),)

    def __init__(self, *, hidden: int = 8, dropout: float = 0.0, seed: int) -> None:
        super().__init__()
        self.dim_sizes = {"unit": hidden}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.cell, self.head = nn.GRU(1, hidden), nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, sizes: Sizes) -> Tensors:
        return {"hidden": replace(sizes, dims={**sizes.dims, **self.dim_sizes}).zeros(self.states[0])}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        rain = inputs["rain"]
        flat = rain.reshape(len(rain), -1, 1)
        lead = rain.shape[1:]
        hidden = state["hidden"].movedim(-2, -1).reshape(1, flat.shape[1], -1).contiguous()
        features, after = self.cell(flat, hidden)
        flow = self.head(self.dropout(features)).reshape(rain.shape)
        return {"flow": flow}, {"hidden": after.reshape(*lead, -1).movedim(-1, -2).contiguous()}


@dataclass(frozen=True, eq=False)
class RiverBatch:
    """A batch, as crest-samples has it, without places and dates that mean something."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    place: Tensor

    @property
    def times(self) -> Tensor:
        """Numbers of the steps (time, sample)."""
        steps = len(next(value for value in self.inputs.values() if value.dim() > 1))
        return torch.arange(steps)[:, None].expand(-1, len(self.place))

    def __len__(self) -> int:
        return len(self.place)

    def on_cells(self) -> RiverBatch:
        """Return the batch with a dim cell of size 1."""
        inputs, targets = ({name: v.unsqueeze(-1) for name, v in one.items()} for one in (self.inputs, self.targets))
        return RiverBatch(inputs, targets, self.place)

    def to(self, device: torch.device | str) -> RiverBatch:
        """Return the batch: these are for the CPU."""
        return self


class RiverLoader:
    """Batches of a shuffled epoch, with a state."""

    def __init__(self, inputs: Tensors, targets: Tensors, batch: int, seed: int, shuffled: bool = True) -> None:
        self.inputs, self.targets, self.batch, self.shuffled = inputs, targets, batch, shuffled
        self.generator = torch.Generator().manual_seed(seed)
        self.cursor = 0
        self.order: Tensor | None = None

    def __len__(self) -> int:
        return -(-next(iter(self.targets.values())).shape[1] // self.batch)

    def __iter__(self) -> Iterator[RiverBatch]:
        count = next(iter(self.targets.values())).shape[1]
        if self.order is None:
            self.order = torch.randperm(count, generator=self.generator) if self.shuffled else torch.arange(count)
        while self.cursor < len(self):
            chosen = self.order[self.cursor * self.batch :][: self.batch]
            self.cursor += 1
            yield self.at(chosen)
        self.cursor, self.order = 0, None

    def at(self, chosen: Tensor) -> RiverBatch:
        """Return the batch of some samples."""
        inputs, targets = ({name: v[:, chosen] for name, v in one.items()} for one in (self.inputs, self.targets))
        return RiverBatch(inputs, targets, chosen)

    def state(self) -> dict[str, Tensor]:
        """Return place and generator."""
        order = torch.empty(0, dtype=torch.long) if self.order is None else self.order
        return {"generator": self.generator.get_state(), "cursor": torch.tensor(self.cursor), "order": order}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        self.generator.set_state(state["generator"])
        self.cursor, self.order = int(state["cursor"]), state["order"] if len(state["order"]) else None


def example_rain(steps: int = 40, samples: int = 12, seed: int = 3) -> Tensor:
    """Return rain (time, sample) [mm day-1], dry on three days of five."""
    generator = torch.Generator().manual_seed(seed)
    return 20 * (torch.rand(steps, samples, generator=generator) - 0.6).clamp(min=0)


def example_flow(rain: Tensor, rate: float = 0.25) -> Tensor:
    """Return the outflow (time, sample) of a reservoir."""
    state = {"storage": torch.zeros(rain.shape[1])}
    with torch.no_grad():
        return Reservoir(rate)(state, {"rain": rain}, range(len(rain)))[0]["flow"]


def example_batches(
    batch: int = 4, *, spin_up: int = 10, seed: int, steps: int = 40, samples: int = 12, shuffled: bool = True
) -> RiverLoader:
    """Return batches of rain and the flow that it makes, the first `spin_up` steps without targets."""
    rain = example_rain(steps, samples)
    return RiverLoader({"rain": rain}, {"flow": example_flow(rain)[spin_up:]}, batch, seed, shuffled)


def example_training(folder: str, epochs: int, *, resume: bool = False) -> None:
    """Train a network with dropout in a folder, with a checkpoint after every batch: to be killed and resumed."""
    torch.set_num_threads(1)
    train(
        Network(dropout=0.3, seed=1),
        example_batches(seed=2),
        [Objective("flow")],
        epochs=epochs,
        optimiser=Optimiser(network_rate=0.01, schedule=Schedule("one-cycle")),
        validation=example_batches(seed=3, samples=4, shuffled=False),
        seed=4,
        folder=folder,
        resume=resume,
        checkpoint_every=1,
        progress=False,
    )
