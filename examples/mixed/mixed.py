"""Torch, JAX, ONNX, Fortran and a BMI model in one graph with a feedback loop: one gradient, one restart.

Run it with `python mixed.py`; it takes well under a minute on two cores. What it prints is explained in README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from time import monotonic

import torch
import xarray as xr
from chain import TECHNOLOGY, build_graph, schwingbach
from crest_bmi import as_bmi
from crest_run import draw_plan
from crest_training import Observation, TrainingRecord, fit
from torch import Tensor

from crest_core import Graph, Prepared, SafetensorsStore, flushed_denormals, prepare, simulate

START, END = "2014-12-01", "2015-09-01"  # the one winter with some snow, and the summer after it
SPIN_UP = 30  # days that are run and not scored
WINDOW, WINDOW_ENDS = "10D", ("2014-12-23", "2015-02-21", "2015-05-02")
HERE = Path(__file__).parent


def main() -> None:
    """Build, report, differentiate, take one step, train, restart, leave as BMI."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--end", default=END, help="of the period, which begins 2014-12-01")
    parser.add_argument("--output", type=Path, default=HERE.parent.parent / "output" / "mixed")
    given = parser.parse_args()
    torch.set_num_threads(1)  # tensors of one cell: threads only cost
    began = monotonic()
    given.output.mkdir(parents=True, exist_ok=True)
    with flushed_denormals():
        run_all(given.epochs, given.end, given.output)
    print(f"\nfigures in {given.output}; time: {monotonic() - began:.0f} s")


def run_all(epochs: int, end: str, folder: Path) -> None:
    """Print each of the things that the graph can do."""
    data = schwingbach()
    graph = build_graph(folder, torch.Generator().manual_seed(1))
    print(graph.plan(), graph.gradient_report(), sep="\n")
    show_gradients(graph, data, end)
    before, after = joint_step(graph, prepare(graph, data, start=START, end=end), observed(data, end))
    print(f"\none joint step of Adam: loss {before:.4f} -> {after:.4f}")
    record = train(graph, data, end, epochs)
    curve = ", ".join(f"{loss:.4f}" for loss in record.training)
    print(f"{epochs} epochs of crest_training.fit: loss {curve}")
    show_restarts(graph, data, end, folder)
    show_bmi(graph, data, end, folder)
    draw(graph, record, folder)


def observed(data: xr.Dataset, end: str) -> Tensor:
    """Return the measured soil moisture of the period, (time, soil_layer, cell), nan where it is missing."""
    chosen = data["soil_moisture"].sel(time=slice(START, end)).transpose("time", "soil_layer", "cell")
    return torch.from_numpy(chosen.values[: len(chosen) - 1])


def loss_of(run: Prepared, measured: Tensor) -> Tensor:
    """Return the misfit of one run of the period."""
    outputs, _ = run.graph(run.state, run.inputs(), run.clock.times)
    return misfit(outputs["soil_moisture"], measured)


def misfit(moisture: Tensor, measured: Tensor) -> Tensor:
    """Return the mean squared error of soil moisture after the spin-up, in observed variances of each layer."""
    known, found = measured[SPIN_UP:], moisture[SPIN_UP:].double()
    variance = (known - known.nanmean(0)).square().nanmean(0)
    return ((found - known).square().nanmean(0) / variance).mean()


def parameters_of(graph: Graph, name: str) -> list[Tensor]:
    """Return the trainable tensors of one component."""
    return list(graph.components[name].parameters())


def gradients(run: Prepared, measured: Tensor) -> dict[str, list[Tensor]]:
    """Return d loss / d parameters by component."""
    flat = [(name, value) for name in run.graph.components for value in parameters_of(run.graph, name)]
    found = torch.autograd.grad(loss_of(run, measured), [value for _, value in flat])
    pairs = list(zip(flat, found, strict=True))
    return {name: [gradient for (owner, _), gradient in pairs if owner == name] for name in run.graph.components}


def slope_along(run: Prepared, measured: Tensor, name: str, direction: Sequence[Tensor], step: float = 1e-4) -> float:
    """Return the central difference of the loss of two whole runs, a component's parameters moved along a direction."""
    values, losses = parameters_of(run.graph, name), []
    saved = [value.detach().clone() for value in values]
    with torch.no_grad():
        for sign in (1.0, -1.0):
            for value, base, way in zip(values, saved, direction, strict=True):
                value.copy_(base + sign * step * way)
            losses.append(float(loss_of(run, measured)))
        for value, base in zip(values, saved, strict=True):
            value.copy_(base)
    return (losses[0] - losses[1]) / (2 * step)


def show_gradients(graph: Graph, data: xr.Dataset, end: str) -> None:
    """Print how the loss answers to the parameters of every component, and how true that is."""
    report, measured = graph.gradient_report(), observed(data, end)
    run = prepare(deepcopy(graph).double(), data, start=START, end=end)
    print("\nd (error of soil moisture) / d (parameters), float64")
    print("component   in       policy             numbers  norm      way to the loss  off by")
    for name, found in gradients(run, measured).items():
        norm = float(sum(one.square().sum() for one in found)) ** 0.5
        along = slope_along(run, measured, name, [one / norm for one in found])
        way, count = report.status(f"{name} parameters", "soil_moisture"), sum(one.numel() for one in found)
        policy = report.policies[name]
        print(
            f"{name:<11} {TECHNOLOGY[name]:<8} {policy:<18} {count:>7}  {norm:.2e}  {way:<15}  "
            f"{abs(along / norm - 1):.0e}"
        )
    print("off by: against central differences of whole runs, along the gradient")


def joint_step(graph: Graph, run: Prepared, measured: Tensor, rate: float = 0.02) -> tuple[float, float]:
    """Take one step of one optimiser on the parameters of all components; return the loss before and after it."""
    optimiser = torch.optim.Adam(graph.parameters(), lr=rate)
    before = loss_of(run, measured)
    before.backward()
    optimiser.step()
    optimiser.zero_grad()
    with torch.no_grad():
        return float(before.detach()), float(loss_of(run, measured))


def train(graph: Graph, data: xr.Dataset, end: str, epochs: int) -> TrainingRecord:
    """Train all components together for a few epochs: enough to see that it works, not to be good."""
    target = [Observation("soil_moisture", data["soil_moisture"])]
    return fit(graph, data, target, start=START, end=end, epochs=epochs, spin_up=SPIN_UP, progress=False)


def resumed(graph: Graph, data: xr.Dataset, stop: str, end: str, folder: Path) -> xr.Dataset:
    """Return the days from `stop` to `end` of a run that was stopped there and went on from the file it had left."""
    store = SafetensorsStore(folder / "restart.safetensors")
    simulate(graph, data, start=START, end=stop, window=WINDOW, store=store, progress=False)
    return simulate(graph, data, end=end, window=WINDOW, resume=store, progress=False)


def show_restarts(graph: Graph, data: xr.Dataset, end: str, folder: Path) -> None:
    """Print at which dates a run that stopped and went on gives every bit of the run that did not."""
    whole = simulate(graph, data, start=START, end=end, window=WINDOW, progress=False)
    print()
    for stop in (one for one in WINDOW_ENDS if one < end):
        rest = resumed(graph, data, stop, end, folder)
        same = all(rest[name].equals(whole[name].sel(time=rest["time"])) for name in graph.output_ports)
        print(f"restart {stop}: {len(graph.output_ports)} outputs of {rest.sizes['time']} days bit for bit: {same}")


def show_bmi(graph: Graph, data: xr.Dataset, end: str, folder: Path) -> None:
    """Print five steps of the trained graph as a BMI model that begins at the last restart, and what they should be."""
    store = SafetensorsStore(folder / "restart.safetensors")
    state, attributes = store.load()
    model = as_bmi(graph, forcing=data, state=state, start=attributes["time"], name="Schwingbach")()
    model.initialize()
    same = simulate(graph, data, end=end, window=WINDOW, resume=store, progress=False)
    counts = len(model.get_input_var_names()), len(model.get_output_var_names()), len(model.state_names())
    print(f"\nBMI model {model.get_component_name()}: {counts[0]} inputs, {counts[1]} outputs, {counts[2]} states")
    for day in range(5):
        model.update()
        found = {name: float(model.get_value_ptr(name)[0]) for name in ("root_zone_soil_moisture", "streamflow")}
        off = max(abs(value - float(same[name].values[day].item())) for name, value in found.items())
        told = ", ".join(f"{name} {value:.4f} {model.get_var_units(name)}" for name, value in found.items())
        print(f"  t = {model.get_current_time():.0f} s: {told}  (simulate differs by {off:.0e})")
    model.finalize()


def draw(graph: Graph, record: TrainingRecord, folder: Path) -> None:
    """Draw the plan and the learning curve."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plan = draw_plan(graph.plan()).figure
    plan.savefig(folder / "plan.png", dpi=110)
    figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axis.plot(range(1, len(record.training) + 1), record.training, "o-", color="#0072b2")
    axis.set(xlabel="epoch", ylabel="mean squared error [observed variances]", yscale="log")
    axis.set_title("five technologies learn together (training period)", fontsize=10)
    axis.grid(alpha=0.3, which="both")
    figure.savefig(folder / "learning.png", dpi=110)
    plt.close("all")


if __name__ == "__main__":
    main()
