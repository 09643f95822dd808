"""What looking at every call of a running graph costs: CREST_COMPLIANCE=1 against a run without.

The graph is that of examples/schwingbach: soil moisture and evapotranspiration in a feedback loop, stepped by days on
synthetic weather, at 1 and 1,000 cells, without gradients, in one window of two years.
  lstm      the LSTM of soil moisture with Penman-Monteith
  bucket    the Fortran bucket in a child process with Penman-Monteith
  sequence  the LSTM of soil moisture alone, which runs the window as one sequence
Both runs give the same numbers, bit for bit, which is checked before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from _report import Report, options
from _timing import Gate, interleave

import crest_core as crest
from crest_core.testing import complying
from crest_core.testing.synthetic import plausible_values

PAIRS = 40
CELLS = (1, 1000)
STEPS = 730
GATE = Gate("ratio", at_most=1.3)
SOILS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("soil-lstm", {}), "bucket": ("soil-bucket", {}), "sequence": ("soil-lstm", {})
}  # fmt: skip


def main() -> None:
    """Time every case and print a line for each."""
    chosen = options(__doc__, pairs=PAIRS)
    names = ("crest-core", "terrahydro-soil-moisture", "terrahydro-evapotranspiration", "torch", "numpy")
    report = Report(chosen, names)
    steps = 20 if chosen.quick else STEPS
    for soil in SOILS:
        for cells in CELLS:
            name = f"compliance.{soil}.{cells}"
            if chosen.wants(name):
                measure(name, soil, cells, steps, report)


def measure(name: str, soil: str, cells: int, steps: int, report: Report) -> None:
    """Compare a run that is looked at with one that is not."""
    graph = alone(soil) if soil == "sequence" else coupled(soil)
    watched, bare = runs(graph, cells, steps)
    if not all(torch.equal(a, b) for a, b in zip(watched(), bare(), strict=True)):
        raise SystemExit(f"{name}: a run that is looked at gives other numbers, so that times cannot be compared")
    seconds = interleave({"watched": watched, "bare": bare}, report.options.pairs)
    report.compare(
        name,
        seconds["watched"],
        seconds["bare"],
        unit="us per step of the graph",
        scale=1e6 / steps,
        baseline="the same run without CREST_COMPLIANCE",
        gate=GATE,
        components=len(graph.components),
        steps=steps,
        cells=cells,
    )


def alone(soil: str) -> crest.Graph:
    """Return soil moisture without feedback, so that nothing is stepped."""
    name, arguments = SOILS[soil]
    torch.manual_seed(5)
    graph = crest.Graph({"soil": crest.registry().load("components", name)(**arguments)})
    graph.eval()
    return graph


def coupled(soil: str) -> crest.Graph:
    """Return soil moisture and evapotranspiration in a feedback loop."""
    components = {
        **alone(soil).components,
        "plant": crest.registry().load("components", "et-penman-monteith")(altitude=240.0),
    }
    moisture, demand = "root_zone_soil_moisture", "water_evapotranspiration_flux"
    links = [
        crest.Connection(f"soil.{moisture}", f"plant.{moisture}", lagged=True, initial=0.3),
        crest.Connection("plant.evapotranspiration", f"soil.{demand}"),
    ]
    graph = crest.Graph(components, links)
    graph.eval()
    return graph


def runs(graph: crest.Graph, cells: int, steps: int) -> tuple[Callable[[], list[torch.Tensor]], ...]:
    """Return the run that is looked at, and the bare one."""
    generator, dictionary = torch.Generator().manual_seed(7), crest.default_dictionary()
    forcing = {
        spec.name: plausible_values(spec, (steps, cells), dictionary, generator, smooth=False).float()
        for spec in graph.inputs
    }
    state = graph.initial_state(crest.Sizes({"cell": cells}))
    first = crest.parse_time("2001-01-01")
    times = [first + crest.parse_timestep("1D") * index for index in range(steps)]

    def bare() -> list[torch.Tensor]:
        with torch.no_grad():
            return list(graph(state, forcing, times)[0].values())

    def watched() -> list[torch.Tensor]:
        with complying(graph):
            return bare()

    return watched, bare


if __name__ == "__main__":
    main()
