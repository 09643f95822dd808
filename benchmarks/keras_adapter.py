"""A Keras model as a component: what a call costs beyond calling the model itself, under Keras's torch backend.

Of 1 and of 1,000 cells:
  dense   a network of one hidden layer (16 units) for one step: KerasModule against model(x, training=False)
  lstm    an LSTM with 16 units over 30 steps: KerasModule against the same model called by hand
  step    the same as a component, with its fields and state packed and unpacked, against the model called by hand
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from _report import Report, options
from _timing import SHORTEST, interleave
from crest_keras import KerasModule, keras_lstm_component
from crest_keras.library import keras_library

from crest_core import FieldSpec, Sizes, Standardize

CELLS = (1, 1000)
PAIRS = 30
HIDDEN, STEPS = 16, 30
BARE = "bare Keras"

Runs = dict[str, Callable[[], object]]


def main() -> None:
    """Time all sizes and print a line for each way."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-keras", "keras", "torch", "numpy"))
    for cells in CELLS:
        for group in (dense, lstm):
            if chosen.wants(f"keras_adapter.{group.__name__}.{cells}"):
                measure(group(cells), cells, report)


def measure(runs: Runs, cells: int, report: Report) -> None:
    """Time runs, the bare one first, and print how the others compare with it."""
    with torch.no_grad():
        seconds = interleave(runs, report.options.pairs, shortest=0.002 if report.options.quick else SHORTEST)
    for name in list(runs)[1:]:
        key = f"keras_adapter.{name}.{cells}"
        report.compare(key, seconds[name], seconds[BARE], unit="us per call", scale=1e6, baseline=BARE, cells=cells)


def dense(cells: int) -> Runs:
    """Return the runs of a network of one step."""
    layers = keras_library().layers
    model = keras_library().Sequential(
        [keras_library().Input((2,)), layers.Dense(HIDDEN, "tanh", name="hidden"), layers.Dense(1, name="head")]
    )
    module, x = KerasModule(model, inputs=("x",), outputs=("y",)), torch.ones(cells, 2)
    assert_same(model(x, training=False), module(x=x))
    return {BARE: lambda: model(x, training=False), "dense": lambda: module(x=x)}


def lstm(cells: int) -> Runs:
    """Return the runs of an LSTM over a sequence."""
    fields = [FieldSpec(name=name, units="mm day-1") for name in ("rain", "runoff")]
    scale = Standardize(mean={"rain": 2.0, "runoff": 1.0}, std={"rain": 5.0, "runoff": 2.0})
    component = keras_lstm_component(inputs=fields[:1], outputs=fields[1:], scale=scale, hidden=HIDDEN, seed=1)
    state, inputs = component.initial_state(Sizes({"cell": cells})), {"rain": torch.ones(STEPS, cells)}
    module = component.get_submodule("module")
    assert isinstance(module, KerasModule)
    model, x = module.structure.model, torch.full((cells, STEPS, 1), -0.2)
    memory = (torch.zeros(cells, HIDDEN), torch.zeros(cells, HIDDEN))
    given = [x, *memory]
    assert_same(model(given, training=False)[0], module(x=x, state=memory)[0])
    return {
        BARE: lambda: model(given, training=False),
        "lstm": lambda: module(x=x, state=memory),
        "step": lambda: component(state, inputs, range(STEPS)),
    }


def assert_same(bare: torch.Tensor, ours: torch.Tensor) -> None:
    """Stop unless both sides give the same numbers to 1e-5 of the largest."""
    if float((ours - bare).abs().max().detach()) > 1e-5 * float(bare.abs().max().detach()):
        raise SystemExit("the component and the bare model give different numbers")


if __name__ == "__main__":
    main()
