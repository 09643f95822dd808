"""A NumPy function as a component: what a step costs beyond calling the function itself.

A linear reservoir of 1 and of 10,000 cells:
  step       the component's step, without gradients
  gradient   a step and its backward pass by finite differences: state, input and parameter, 6 columns for each cell,
             against the 7 calls of the function that this takes
Baseline: the same function on NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from _report import Report, options
from _timing import SHORTEST, interleave
from crest_numpy import numpy_component

from crest_core import FieldSpec, Sizes

CELLS = (1, 10_000)
PAIRS = 30
BARE = "bare NumPy function"
RAIN, RUNOFF = (FieldSpec(name=name, units="mm day-1") for name in ("rain", "runoff"))
STORAGE = FieldSpec(name="storage", units="mm", cell_methods="time: point")
RATE = FieldSpec(name="k", units="day-1", dims=(), static=True, bounds=(0.01, 1.0))


@numpy_component(inputs=(RAIN,), outputs=(RUNOFF,), states={STORAGE: 10.0}, parameters={RATE: 0.1})
def reservoir(rain: np.ndarray, storage: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return runoff k S, and the storage at the end."""
    return k * storage, storage + rain - k * storage


def main() -> None:
    """Time all sizes and print a line for each way."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-numpy", "torch", "numpy"))
    shortest = 0.002 if chosen.quick else SHORTEST
    for cells in CELLS:
        for name, (ours, bare) in {"step": step(cells), "gradient": gradient(cells)}.items():
            key = f"numpy_function.{name}.{cells}"
            if chosen.wants(key):
                seconds = interleave({name: ours, BARE: bare}, chosen.pairs, shortest=shortest)
                report.compare(
                    key, seconds[name], seconds[BARE], unit="us per call", scale=1e6, baseline=BARE, cells=cells
                )


def step(cells: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a step of the component, and the call of the function."""
    component = reservoir()
    state, rain = component.initial_state(Sizes({"cell": cells})), torch.ones(cells, dtype=torch.float64)
    arrays = (rain.numpy(), state["storage"].numpy(), np.full(cells, 0.1))
    with torch.no_grad():
        ours = component.step(state, {"rain": rain}, None)[0]["runoff"]
    if not np.allclose(ours, reservoir.function(*arrays)[0], rtol=1e-6):
        raise SystemExit("the component and the function differ, so that their times cannot be compared")
    return torch.no_grad()(lambda: component.step(state, {"rain": rain}, None)), lambda: reservoir.function(*arrays)


def gradient(cells: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a step with its backward pass, and seven calls of the function."""
    component = reservoir()
    state = {"storage": torch.full((cells,), 10.0, dtype=torch.float64, requires_grad=True)}
    inputs = {"rain": torch.ones(cells, dtype=torch.float64, requires_grad=True)}
    leaves = [*state.values(), *inputs.values(), *component.parameters()]
    arrays = tuple(np.ones(cells) for _ in range(3))

    def ours() -> object:
        return torch.autograd.grad(component.step(state, inputs, None)[0]["runoff"].sum(), leaves)

    return ours, lambda: [reservoir.function(*arrays) for _ in range(7)]


if __name__ == "__main__":
    main()
