"""Driver: run a model over a period in time windows, xarray in and xarray out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import torch
import xarray as xr

from crest_core.clock import Clock
from crest_core.component import Component, Sizes, Tensors
from crest_core.errors import StateError
from crest_core.forcing import Forcing
from crest_core.graph import Graph
from crest_core.output import to_dataset
from crest_core.provenance import ForcingHash, graph_hash, provenance
from crest_core.store import Store


@dataclass(frozen=True)
class Prepared:
    """All that a run needs as plain tensors: call `graph(state, inputs, clock.times)` for outputs on the tape."""

    graph: Graph
    forcing: Forcing
    clock: Clock
    sizes: Sizes
    state: Tensors

    def inputs(self, first: int = 0, stop: int | None = None) -> Tensors:
        """Return the forcing of the steps first, ..., stop - 1: (time, *lead, *dims)."""
        clock = self.clock.sub(first, len(self.clock) if stop is None else stop)
        return self.forcing.tensors(clock.start, len(clock), self.sizes.dtype)


def prepare(
    model: Component,
    forcing: xr.Dataset,
    *,
    start: Any = None,
    end: Any = None,
    calendar: str | None = None,
    state: Tensors | None = None,
    dtype: torch.dtype | None = None,
) -> Prepared:
    """Check forcing against a model and return tensors, clock and the primed state before the first step.

    `dtype` None is that of the model's parameters, float32 for a model without.
    """
    graph = model if isinstance(model, Graph) else Graph({"model": model})
    data = Forcing(forcing, graph, calendar)
    steps = max(graph.history.values(), default=0) if state is None else 0
    clock = data.clock(start, end, steps)
    sizes = data.sizes(dtype or next((parameter.dtype for parameter in graph.parameters()), torch.float32))
    fresh = graph.initial_state(sizes)
    for name, value in (state or {}).items():
        expected = fresh.get(name, value)
        if (expected.shape, expected.dtype) != (value.shape, value.dtype):
            raise StateError(
                f"state {name}: expected {expected.dtype} of shape {tuple(expected.shape)} for this forcing, got "
                f"{value.dtype} of shape {tuple(value.shape)}; take the places and the number type of the state"
            )
        if not bool(torch.isfinite(value).all()):
            raise StateError(f"state {name} holds values that are not finite; take an earlier restart")
    state = fresh if state is None else state
    if steps:
        state = graph.prime(state, data.tensors(clock.start - steps * clock.timestep, steps, sizes.dtype))
    return Prepared(graph, data, clock, sizes, state)


def simulate(
    model: Component,
    forcing: xr.Dataset,
    *,
    start: Any = None,
    end: Any = None,
    calendar: str | None = None,
    window: str = "365D",
    state: Tensors | None = None,
    resume: Store | None = None,
    store: Store | None = None,
    outputs: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Return the outputs of a run over [start, end) as a CF Dataset, without gradients.

    Forcing is read and run in windows cut at multiples of `window` since 2000-01-01. `store` receives the state at the
    end of every window; `resume` takes state and start from one. `seed` is only written to the record. `progress`
    None shows a bar on a terminal.
    """
    graph = model if isinstance(model, Graph) else Graph({"model": model})
    identity = graph_hash(graph)
    if resume is not None:
        if state is not None or start is not None:
            raise StateError("a run that resumes takes state and start from the restart; leave state= and start= out")
        state, start, calendar = _resumed(resume, identity)
    run = prepare(graph, forcing, start=start, end=end, calendar=calendar, state=state, dtype=dtype)
    if store is not None and run.graph.opaque:
        raise StateError("a graph with an opaque component hides state and cannot write a restart")
    names = [spec.name for spec in run.graph.outputs]
    outputs = [outputs] if isinstance(outputs, str) else outputs
    unknown = sorted(set(outputs or ()) - set(names))
    if unknown:
        raise StateError(f"outputs {unknown} do not exist; the graph has {', '.join(names)}")
    kept: dict[str, list[torch.Tensor]] = {name: [] for name in (names if outputs is None else outputs)}
    state = run.state
    hashed = ForcingHash(run.graph, f"{run.clock.start} {run.sizes}")
    with torch.no_grad(), flushed_denormals(), _evaluating(run.graph):
        for first, stop in _progress(run.clock, window, progress):
            clock = run.clock.sub(first, stop)
            inputs = run.inputs(first, stop)
            hashed.add(inputs)
            values, state = run.graph(state, inputs, clock.times)
            run.graph.check_outputs(values, list(clock.times), run.sizes)
            for name, pieces in kept.items():
                pieces.append(values[name])
            if store is not None:
                note = {"time": clock.end.isoformat(), "calendar": clock.calendar, "graph_hash": identity}
                store.save(state, note)
    joined = {name: torch.cat(pieces) for name, pieces in kept.items()}
    record = provenance(run.graph, forcing_hash=hashed.hexdigest(), seed=seed)
    return to_dataset(run.graph, joined, run.clock, run.forcing, record)


def _resumed(store: Store, identity: str) -> tuple[Tensors, str, str]:
    """Return state, time and calendar of a restart that this graph wrote."""
    state, attributes = store.load()
    try:
        time, calendar, other = (attributes[key] for key in ("time", "calendar", "graph_hash"))
    except KeyError as error:
        raise StateError(f"the file to resume from has no {error}: it is not a restart of a run") from None
    if other != identity:
        raise StateError(
            f"the restart of {time} was written by another graph (hash {other[:12]}, this one {identity[:12]}); run "
            f"the graph that wrote it, or start anew"
        )
    return state, time, calendar


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero inside: decaying hidden states would run several times slower."""
    before = float(torch.tensor(1e-40) * 0.5) == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def _evaluating(model: Component) -> Iterator[None]:
    """Switch dropout and the like off inside, as torch's eval() does."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _progress(clock: Clock, window: str, shown: bool | None) -> Iterator[tuple[int, int]]:
    """Yield the windows of a clock, with a bar that shows rate and remaining time."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    windows, began = clock.windows(window), monotonic()
    shown = sys.stderr.isatty() and len(windows) > 1 if shown is None else shown
    text = TextColumn("{task.description}")
    columns = (BarColumn(), MofNCompleteColumn(), text, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("steps", total=len(clock))
        for first, stop in windows:
            yield first, stop
            bar.update(task, completed=stop, description=f"{stop / (monotonic() - began):.0f} steps/s")
