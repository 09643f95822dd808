"""Cost per component step of coupling: chains and feedback loops of trivial components.

A component here is three torch operations on (cell): a store that takes an inflow and gives half of its water away.
chain: five of them, one after the other; CREST runs it as whole sequences, block by block.
loop:  two of them, the second hands its outflow back to the first one step later; CREST must step.
Both run at 1, 100 and 10,000 cells, without gradients, against
  hand-written torch   the same calls of the same `step`, with dicts, in a plain Python loop; the same outputs stacked
  dcoupler 0.2.0       (chains) the same arithmetic in its own component class
All three give the same numbers, which is checked before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from _dcoupler import dcoupler_chain
from _report import Report, options
from _timing import Gate, interleave
from torch import Tensor

import crest_core as crest
from crest_core import Sizes, Tensors

CELLS = (1, 100, 10_000)
CHAIN, LOOP = 5, 2  # components
STEPS = 365  # a window of `simulate`
HAND = "hand-written torch"
DCOUPLER = "dcoupler 0.2.0"
STORED = crest.FieldSpec(name="stored", units="mm", cell_methods="time: point")
INFLOW = crest.FieldSpec(name="inflow", units="mm day-1")
RETURNED = crest.FieldSpec(name="returned", units="mm day-1")
OUTFLOW = crest.FieldSpec(name="outflow", units="mm day-1")
GATES = {
    (HAND, 1): Gate("excess", at_most=5.0, widest=1.0),
    (HAND, 10_000): Gate("ratio", at_most=1.05),
    (DCOUPLER, 1): Gate("ratio", at_most=1.0),
}

Run = Callable[[], list[Tensor]]


class Store(crest.StepComponent):
    """stored += inflow; half of it flows out: three operations."""

    inputs, outputs, states = (INFLOW,), (OUTFLOW,), (STORED,)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return 1 mm."""
        return {"stored": sizes.full(STORED, 1.0)}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return outflow and what stays."""
        stored = state["stored"] + inputs["inflow"]
        outflow = stored * 0.5
        return {"outflow": outflow}, {"stored": stored - outflow}


class StoreWithReturn(crest.StepComponent):
    """A store that takes in addition what comes back: four operations."""

    inputs, outputs, states = (INFLOW, RETURNED), (OUTFLOW,), (STORED,)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return 1 mm."""
        return {"stored": sizes.full(STORED, 1.0)}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return outflow and what stays."""
        stored = state["stored"] + inputs["inflow"] + inputs["returned"] * 0.5
        outflow = stored * 0.5
        return {"outflow": outflow}, {"stored": stored - outflow}


@dataclass(frozen=True)
class Case:
    """A graph with its forcing: rain (time, cell) into the first store."""

    components: dict[str, crest.Component]
    rain: Tensor
    loop: bool

    def crest(self) -> Run:
        """Return the run by the graph."""
        names = list(self.components)
        links = [crest.Connection(f"{a}.outflow", f"{b}.inflow") for a, b in zip(names, names[1:], strict=False)]
        if self.loop:
            links.append(crest.Connection(f"{names[-1]}.outflow", f"{names[0]}.returned", lagged=True, initial=0.0))
        graph = crest.Graph(self.components, links)
        state = graph.initial_state(self._sizes())
        forcing, times = {graph.inputs[0].name: self.rain}, range(len(self.rain))

        def run() -> list[Tensor]:
            outputs, _ = graph(state, forcing, times)
            return [outputs[f"{name}_outflow"] for name in names]

        return run

    def hand_written(self) -> Run:
        """Return the run by a plain loop over the same steps."""
        first, *others = self.components.values()
        start = [component.initial_state(self._sizes()) for component in self.components.values()]
        nothing, loop, rain = torch.zeros_like(self.rain[0]), self.loop, self.rain

        def run() -> list[Tensor]:
            states = list(start)
            kept: list[list[Tensor]] = [[] for _ in states]
            returned = nothing
            for time, inflow in enumerate(rain.unbind(0)):
                inputs = {"inflow": inflow, "returned": returned} if loop else {"inflow": inflow}
                outputs, states[0] = first.step(states[0], inputs, time)
                kept[0].append(outputs["outflow"])
                for i, component in enumerate(others, 1):
                    outputs, states[i] = component.step(states[i], {"inflow": outputs["outflow"]}, time)
                    kept[i].append(outputs["outflow"])
                returned = outputs["outflow"]
            return [torch.stack(values) for values in kept]

        return run

    def _sizes(self) -> Sizes:
        return Sizes({"cell": self.rain.shape[1]})


def main() -> None:
    """Time all cases and print a line for each baseline."""
    chosen = options(__doc__)
    report = Report(chosen, ("crest-core", "torch", "numpy", "dcoupler"))
    steps = 20 if chosen.quick else STEPS
    for kind, count in (("chain", CHAIN), ("loop", LOOP)):
        for cells in CELLS:
            name = f"coupling.{kind}.{cells}"
            if chosen.wants(name):
                rain = torch.rand(steps, cells, generator=torch.Generator().manual_seed(cells))
                measure(name, case(kind, count, rain), report)


def case(kind: str, count: int, rain: Tensor) -> Case:
    """Return a chain or a loop of `count` stores."""
    loop = kind == "loop"
    components = {f"store{i}": StoreWithReturn() if loop and i == 0 else Store() for i in range(count)}
    return Case(components, rain, loop)


def measure(name: str, case: Case, report: Report) -> None:
    """Check that all runs agree, time them in one go, and print the lines."""
    runs = {"crest": case.crest(), HAND: case.hand_written()}
    if not case.loop:
        runs[DCOUPLER] = dcoupler_chain(len(case.components), case.rain)
    for baseline, run in runs.items():
        if not all(torch.equal(a, b) for a, b in zip(runs["crest"](), run(), strict=True)):
            raise SystemExit(f"{name}: CREST and {baseline} differ, so that their times cannot be compared")
    seconds = interleave(runs, report.options.pairs)
    cells = case.rain.shape[1]
    component_steps = len(case.components) * len(case.rain)
    for baseline in list(runs)[1:]:
        report.compare(
            name,
            seconds["crest"],
            seconds[baseline],
            unit="us per component step",
            scale=1e6 / component_steps,
            baseline=baseline,
            gate=GATES.get((baseline, cells)),
            components=len(case.components),
            steps=len(case.rain),
            cells=cells,
        )


if __name__ == "__main__":
    main()
