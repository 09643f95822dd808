"""An acyclic graph of two LSTM components: whole sequences by CREST against hand-written torch and against stepping.

soil:  weather -> soil moisture; evaporation: weather and soil moisture -> evapotranspiration. Each is a torch.nn.LSTM
(hidden size 64) with a linear head, over 365 days at 1, 16 and 128 cells (the batch).
forward     outputs only, without gradients
training    the loss (mean of squares), forward, and the gradients of all weights
Baselines, with the same weights and the same answer, which is checked first:
  hand-written torch            the same modules called one after the other on the whole sequence
  the same components, stepped  each component's `step` day by day in a plain loop, as a coupler without a planner does
The ratio is that of the speeds: 1 is as fast as the baseline, 3 is three times as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from _report import Report, options
from _timing import Gate, interleave
from torch import Tensor, nn

import crest_core as crest
from crest_core import Sizes, Tensors

CELLS = (1, 16, 128)
DAYS = 365
HIDDEN = 64
PAIRS = 40
SEED = 1
HAND = "hand-written torch"
STEPPED = "the same components, stepped"
WEATHER = tuple(crest.FieldSpec(name=f"weather{i}", units="1") for i in range(5))
MOISTURE = crest.FieldSpec(name="moisture", units="m3 m-3", standard_name="volume_fraction_of_water_in_soil")
EVAPOTRANSPIRATION = crest.FieldSpec(name="evapotranspiration", units="mm day-1")
TOLERANCE = 1e-5  # of the largest value: float32, two ways to batch

Answer = tuple[Tensor, Tensor]


class Recurrent(crest.SequenceComponent):
    """An LSTM with a linear head; its hidden and cell state are (hidden, cell)."""

    def __init__(self, inputs: Sequence[crest.FieldSpec], output: crest.FieldSpec) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), (output,)
        self.dim_sizes = {"layer": 1, "hidden": HIDDEN}
        dims = ("layer", "hidden", "cell")
        self.states = tuple(crest.FieldSpec(name=name, units="1", dims=dims) for name in ("h", "c"))
        self.lstm, self.head = nn.LSTM(len(self.inputs), HIDDEN), nn.Linear(HIDDEN, 1)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros."""
        return {spec.name: sizes.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return the output (time, cell) of the whole sequence."""
        packed = torch.stack([inputs[spec.name] for spec in self.inputs], dim=-1)
        features, (h, c) = self.lstm(packed, (state["h"].mT, state["c"].mT))
        return {self.outputs[0].name: self.head(features).squeeze(-1)}, {"h": h.mT, "c": c.mT}


@dataclass(frozen=True)
class Case:
    """Two LSTM components and their weather, fields of (time, cell)."""

    soil: Recurrent
    evaporation: Recurrent
    weather: Tensors
    sizes: Sizes

    def whole(self) -> Callable[[], Answer]:
        """Return the run of the graph."""
        graph = crest.Graph({"soil": self.soil, "evaporation": self.evaporation}, self._shared_weather())
        state, times = graph.initial_state(self.sizes), range(DAYS)

        def run() -> Answer:
            outputs, _ = graph(state, self.weather, times)
            return outputs["moisture"], outputs["evapotranspiration"]

        return run

    def hand_written(self) -> Callable[[], Answer]:
        """Return the run that calls the modules on packed tensors."""
        soil, evaporation = self.soil, self.evaporation
        zeros = torch.zeros(1, self.sizes.dims["cell"], HIDDEN)

        def run() -> Answer:
            weather = torch.stack([self.weather[spec.name] for spec in WEATHER], dim=-1)
            moisture = soil.head(soil.lstm(weather, (zeros, zeros))[0])  # no name for features: their memory is free
            both = torch.cat([weather, moisture], dim=-1)
            evapotranspiration = evaporation.head(evaporation.lstm(both, (zeros, zeros))[0])
            return moisture.squeeze(-1), evapotranspiration.squeeze(-1)

        return run

    def stepped(self) -> Callable[[], Answer]:
        """Return the run that steps both components day by day."""
        start = [component.initial_state(self.sizes) for component in (self.soil, self.evaporation)]

        def run() -> Answer:
            wet, dry = start
            moistures, evapotranspirations = [], []
            for time, values in enumerate(zip(*(self.weather[spec.name].unbind(0) for spec in WEATHER), strict=True)):
                today = {spec.name: value for spec, value in zip(WEATHER, values, strict=True)}
                soil, wet = self.soil.step(wet, today, time)
                evaporation, dry = self.evaporation.step(dry, today | soil, time)
                moistures.append(soil["moisture"])
                evapotranspirations.append(evaporation["evapotranspiration"])
            return torch.stack(moistures), torch.stack(evapotranspirations)

        return run

    def training(self, run: Callable[[], Answer]) -> Callable[[], list[Tensor]]:
        """Return the gradients of all weights through that run, as a function."""
        weights = [*self.soil.parameters(), *self.evaporation.parameters()]

        def gradients() -> list[Tensor]:
            moisture, evapotranspiration = run()
            loss = moisture.square().mean() + evapotranspiration.square().mean()
            return list(torch.autograd.grad(loss, weights))

        return gradients

    def _shared_weather(self) -> list[crest.Connection]:
        return [
            crest.Connection(f"forcing.{spec.name}", f"{name}.{spec.name}")
            for name in ("soil", "evaporation")
            for spec in WEATHER
        ]


def main() -> None:
    """Time all cases, forward and training, and print a line for each baseline."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "torch", "numpy"))
    for cells in CELLS:
        for kind in ("forward", "training"):
            name = f"sequence.{kind}.{cells}"
            if chosen.wants(name):
                measure(name, case(cells), report)


def case(cells: int) -> Case:
    """Return two components with random weights, and random weather."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        soil, evaporation = Recurrent(WEATHER, MOISTURE), Recurrent((*WEATHER, MOISTURE), EVAPOTRANSPIRATION)
        weather = {spec.name: torch.randn(DAYS, cells) for spec in WEATHER}
    return Case(soil, evaporation, weather, Sizes({"cell": cells, "layer": 1, "hidden": HIDDEN}))


def measure(name: str, case: Case, report: Report) -> None:
    """Check that all runs agree, time them in one go, and print the lines."""
    answers = {"crest": case.whole(), HAND: case.hand_written(), STEPPED: case.stepped()}
    runs: dict[str, Callable[[], Sequence[Tensor]]] = {}
    for baseline, answer in answers.items():
        runs[baseline] = case.training(answer) if "training" in name else torch.no_grad()(answer)
    for baseline, run in runs.items():
        for a, b in zip(runs["crest"](), run(), strict=True):
            if (a - b).abs().max() > TOLERANCE * b.abs().max():
                raise SystemExit(f"{name}: CREST and {baseline} differ, so that their times cannot be compared")
    seconds = interleave(runs, report.options.pairs)
    for baseline in (HAND, STEPPED):
        report.compare(
            name,
            seconds["crest"],
            seconds[baseline],
            unit="ms",
            scale=1e3,
            baseline=baseline,
            speed=True,
            gate=Gate("ratio", at_least=0.95) if baseline == HAND else None,
            cells=case.sizes.dims["cell"],
            steps=DAYS,
            hidden=HIDDEN,
        )


if __name__ == "__main__":
    main()
