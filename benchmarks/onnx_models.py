"""ONNX files through the adapter: what a call costs beside onnxruntime alone, and a gradient beside differences.

onnx.call.N: a year of an LSTM (hidden 64) on N columns as a component, fields in and fields out, without gradients,
against the same session called with tensors that are packed already. onnx.step.1: one day of one column.
onnx.gradient.T: the gradient of a loss of T days by rain and warmth of every day and the first state, exact (the
interpreter) against central finite differences through onnxruntime, step by step; not paid for in
the latter are gradients by weights, which differences of the network's tensors do not give.

The script is not called onnx.py: that name would hide the library.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from _report import Report, options
from _timing import SHORTEST, interleave
from crest_onnx import export_onnx, onnx_component

from crest_core import Component, FieldSpec, FiniteDifference, Sizes, Standardize, Tensors, registry

BARE = "bare onnxruntime"
DIFFERENCES = "finite differences"
YEAR, COLUMNS, HIDDEN = 365, (1, 256), 64
SMALL_HIDDEN, LENGTHS = 16, (30,)
PAIRS = 60
STEP = 1e-2  # of the scaled values: what float32 bears

FIELDS = (FieldSpec(name="rain", units="mm day-1"), FieldSpec(name="warmth", units="degC"))
RUNOFF = FieldSpec(name="runoff", units="mm day-1")
SCALE = Standardize(mean={"rain": 2.5, "warmth": 10.0, "runoff": 1.0}, std={"rain": 5.0, "warmth": 8.0, "runoff": 2.0})


def main() -> None:
    """Time the calls, then the gradients."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-onnx", "onnx", "onnxruntime", "torch", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        large, small = (written(Path(folder), hidden) for hidden in (HIDDEN, SMALL_HIDDEN))
        cases = [(f"onnx.call.{columns}", YEAR, columns) for columns in COLUMNS] + [("onnx.step.1", 1, 1)]
        for name, days, columns in cases:
            if chosen.wants(name):
                measure_call(name, large, days, columns, report)
        for days in LENGTHS:
            if chosen.wants(f"onnx.gradient.{days}"):
                measure_gradient(small, days, report)


def written(folder: Path, hidden: int) -> Path:
    """Return an ONNX file of an LSTM with random weights."""
    generator = torch.Generator().manual_seed(1)
    build = registry().load("backends", "torch-lstm")
    network = build(inputs=FIELDS, outputs=(RUNOFF,), scale=SCALE, hidden=hidden, generator=generator)
    path = folder / f"lstm-{hidden}.onnx"
    export_onnx(network, path)
    return path


def measure_call(name: str, path: Path, days: int, columns: int, report: Report) -> None:
    """Compare the component with its own session on packed tensors, after both gave the same."""
    component = onnx_component(path)
    state, inputs = start(component, columns), forcing(days, columns)
    packed = {item.name: item.pack(inputs)[0] for item in component.input_maps}
    packed |= {item.name: item.pack(state)[0] for item in component.state_maps}
    session, asked = component.module.session._ready(), list(component.module.signature.results)
    arrays = {key: value.numpy() for key, value in packed.items()}

    def through() -> Tensors:
        with torch.no_grad():
            return component(state, inputs, range(days))[0]

    def bare() -> list[object]:
        found: list[object] = session.run(asked, arrays)
        return found

    (y,) = [torch.as_tensor(value) for value in bare()[:1]]
    expected = component.output_maps[0].unpack(y, (days, columns))["runoff"]
    same(through()["runoff"], expected)
    seconds = interleave({"crest": through, BARE: bare}, report.options.pairs, shortest=shortest(report))
    report.compare(
        name, seconds["crest"], seconds[BARE], unit="us", scale=1e6, baseline=BARE, columns=columns, days=days
    )


def measure_gradient(path: Path, days: int, report: Report) -> None:
    """Compare one exact gradient with one by finite differences, after both gave the same to their accuracy."""
    exact, estimated = onnx_component(path), onnx_component(path, gradient=FiniteDifference(step=STEP))
    ours, theirs = (gradient_of(component, days) for component in (exact, estimated))
    same(theirs(), ours(), 1e-2)
    seconds = interleave({"exact": ours, DIFFERENCES: theirs}, report.options.pairs, shortest=shortest(report))
    report.compare(
        f"onnx.gradient.{days}",
        seconds["exact"],
        seconds[DIFFERENCES],
        unit="ms",
        scale=1e3,
        baseline=DIFFERENCES,
        days=days,
        scalars=days * len(FIELDS) + 2 * SMALL_HIDDEN,
    )


def gradient_of(component: Component, days: int) -> Callable[[], torch.Tensor]:
    """Return the function that computes the gradient of a loss by the forcing, for one column."""
    state, inputs = start(component, 1), forcing(days, 1)

    def run() -> torch.Tensor:
        leaves = {name: value.clone().requires_grad_() for name, value in {**inputs, **state}.items()}
        fields = {name: leaves[name] for name in inputs}
        outputs, _ = component({name: leaves[name] for name in state}, fields, range(days))
        found = torch.autograd.grad(outputs["runoff"].square().mean(), list(leaves.values()))
        return found[0]

    return run


def start(component: Component, columns: int) -> Tensors:
    """Return the state before the first day."""
    return component.initial_state(Sizes({"cell": columns}))


def forcing(days: int, columns: int) -> Tensors:
    """Return random rain and warmth."""
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(2, days, columns, generator=generator)
    return {"rain": (5.0 * noise[0] + 2.5).clamp(min=0.0), "warmth": 8.0 * noise[1] + 10.0}


def shortest(report: Report) -> float:
    """Return the seconds of a turn."""
    return 0.002 if report.options.quick else SHORTEST


def same(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    """Stop unless both sides compute the same."""
    if float((found - expected).abs().max()) > tolerance * float(expected.abs().max()):
        raise SystemExit("both sides must give the same numbers")


if __name__ == "__main__":
    main()
