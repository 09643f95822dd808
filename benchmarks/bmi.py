"""BMI both ways: what the adapters cost beyond calling the model, or the graph, itself.

HBV of crest-bmi, a model with 3 inputs, 3 outputs and 5 states, one day for 1 and for 1,000 cells of its grid:
  step         BmiComponent.step, the states set and read as well, against set_value of the inputs, update() and
               get_value of the outputs, called bare
  opaque       the same without states: the model runs on in time order
  looped       the model of one place, called for each of 10 cells, against ten bare models
  gradient     step and a vector-Jacobian product of all inputs by finite differences, against as many bare calls
  export       as_bmi: set_value, update, get_value of a torch bucket, against Graph.step of the same graph
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from _report import Report, options
from _timing import SHORTEST, interleave
from crest_bmi import HBV, BmiComponent, as_bmi

from crest_core import Graph, Sizes
from crest_core.testing import TorchBucket

CELLS = (1, 1000)
LOOPED = 10
PAIRS = 40
BARE, STEP = "bare BMI calls", "Graph.step"
WEATHER = {"precipitation": 4.0, "air_temperature": 3.0, "potential_evaporation": 1.0}
FORCING = {"precipitation": 4.0, "evapotranspiration": 1.0}

Call = Callable[[], object]


def main() -> None:
    """Time all ways and print a line for each."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-bmi", "bmipy", "torch", "numpy"))
    with TemporaryDirectory() as folder:
        for cells in CELLS:
            config = Path(folder) / f"{cells}.yaml"
            config.write_text(f"cells: {cells}\n")
            measure(import_ways(str(config), cells), cells, report)
            measure(export_ways(cells), cells, report)
        measure(looped_ways(), LOOPED, report)


def measure(ways: dict[str, Call], cells: int, report: Report) -> None:
    """Time the ways that are wanted, the first one bare, and print how the others compare with it."""
    baseline, *others = ways
    wanted = [name for name in others if report.options.wants(f"bmi.{name}.{cells}")]
    if not wanted:
        return
    runs = {name: ways[name] for name in (baseline, *wanted)}
    seconds = interleave(runs, report.options.pairs, shortest=0.002 if report.options.quick else SHORTEST)
    for name in wanted:
        ours, theirs = seconds[name], seconds[baseline]
        many = 1 + 2 * len(WEATHER) * (1 if name == "gradient" else 0)
        label = f"{many} x {baseline}" if many > 1 else baseline
        report.compare(
            f"bmi.{name}.{cells}", ours, many * theirs, unit="us per call", scale=1e6, baseline=label, cells=cells
        )


def import_ways(config: str, cells: int) -> dict[str, Call]:
    """Return a day of the bare model, and of the component around it."""
    component = BmiComponent(HBV, config, states=HBV.state_names, fields=HBV.fields, independent_columns=cells > 1)
    opaque = BmiComponent(HBV, config, fields=HBV.fields)
    sizes = Sizes({"cell": cells})
    inputs = {name: torch.full((cells,), value, dtype=torch.float64) for name, value in WEATHER.items()}
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    start, running = component.initial_state(sizes), opaque.initial_state(sizes)
    bare, results = bare_model(config, inputs)
    bare()
    outputs, _ = component.step(start, inputs, 0)
    assert_same(results["runoff"], outputs["runoff"])

    def forward() -> None:
        nonlocal running
        _, running = opaque.step(running, inputs, 0)

    def gradient() -> Any:
        outputs, _ = component.step(start, leaves, 0)
        return torch.autograd.grad(outputs["runoff"].sum(), list(leaves.values()))

    return {
        BARE: bare,
        "step": torch.no_grad()(lambda: component.step(start, inputs, 0)),
        "opaque": torch.no_grad()(forward),
        "gradient": gradient,
    }


def looped_ways() -> dict[str, Call]:
    """Return a day of ten models of one place, bare, and as one component."""
    component = BmiComponent(HBV, states=HBV.state_names, fields=HBV.fields)
    inputs = {name: torch.full((LOOPED,), value, dtype=torch.float64) for name, value in WEATHER.items()}
    state = component.initial_state(Sizes({"cell": LOOPED}))
    calls = [bare_model("", {name: value[:1] for name, value in inputs.items()})[0] for _ in range(LOOPED)]
    return {
        BARE: lambda: [call() for call in calls],
        "looped": torch.no_grad()(lambda: component.step(state, inputs, 0)),
    }


def bare_model(config: str, inputs: dict[str, torch.Tensor]) -> tuple[Call, dict[str, np.ndarray]]:
    """Return a day of the model as a program without CREST would call it, and where the results lie."""
    model = HBV()
    model.initialize(config)
    arrays = {name: value.numpy() for name, value in inputs.items()}
    results = {name: np.empty_like(arrays["precipitation"]) for name in HBV.output_names}

    def call() -> None:
        for name, values in arrays.items():
            model.set_value(name, values)
        model.update()
        for name, values in results.items():
            model.get_value(name, values)

    return call, results


def export_ways(cells: int) -> dict[str, Call]:
    """Return a step of a graph, and the same behind the interface."""
    graph = Graph({"bucket": TorchBucket()})
    model = as_bmi(graph, grid=cells, forcing=FORCING)()
    model.initialize()
    state = graph.initial_state(Sizes({"cell": cells}))
    inputs = {name: torch.full((cells,), value) for name, value in FORCING.items()}
    arrays = {name: value.numpy() for name, value in inputs.items()}
    runoff = np.empty(cells, np.float32)
    model.update()
    assert_same(model.get_value("runoff", runoff), graph.step(state, inputs, 0)[0]["runoff"].detach())

    def exported() -> None:
        for name, values in arrays.items():
            model.set_value(name, values)
        model.update()
        model.get_value("runoff", runoff)

    return {STEP: torch.no_grad()(lambda: graph.step(state, inputs, 0)), "export": exported}


def assert_same(expected: np.ndarray, found: torch.Tensor) -> None:
    """Stop where the two sides do not give the same numbers."""
    if not np.array_equal(expected, found.numpy()):
        raise SystemExit("the two sides do not compute the same")


if __name__ == "__main__":
    main()
