"""Driver: run a model over a period in time windows, xarray in and xarray out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any

import torch
import xarray as xr

from crest_core.component import Component, Sizes, Tensors
from crest_core.errors import ForcingError, StateError
from crest_core.forcing import Forcing, PeriodError
from crest_core.graph import Graph
from crest_core.output import to_dataset
from crest_core.provenance import graph_hash, parameter_hash, versions
from crest_core.store import Store
from crest_core.testing.compliance import complying_if_asked
from crest_fields.clock import Clock
from crest_fields.errors import TimeError
from crest_fields.fields import FieldSpec


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
    try:
        clock = data.clock(start, end, steps)
    except (ForcingError, TimeError) as error:
        raise PeriodError(str(error)) from error
    sizes = data.sizes(dtype or next((parameter.dtype for parameter in graph.parameters()), torch.float32))
    fresh = graph.initial_state(sizes)
    for name, value in (state or {}).items():
        want, got = (f"{one.dtype} of shape {tuple(one.shape)}" for one in (fresh.get(name, value), value))
        if want != got:
            advice = "take the places and the number type of the state"
            raise StateError(f"state {name}: expected {want} for this forcing, got {got}; {advice}")
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

    Forcing is read and run in windows cut at multiples of `window` since 2000-01-01; at the end of each, `store`
    receives the state, from which `resume` goes on. `seed` is only written to the record. `progress` None shows a bar
    on a terminal.
    """
    graph = model if isinstance(model, Graph) else Graph({"model": model})
    identity = graph_hash(graph)
    if resume is not None:
        if state is not None or start is not None:
            raise StateError("a run that resumes takes state and start from the restart; leave state= and start= out")
        state, start, calendar = _resumed(resume, identity)
    run = prepare(graph, forcing, start=start, end=end, calendar=calendar, state=state, dtype=dtype)
    if store is not None and graph.opaque:
        raise StateError("a graph with an opaque component hides state and cannot write a restart")
    names = [spec.name for spec in graph.outputs]
    if unknown := sorted(set(outputs or ()) - set(names)):
        raise StateError(f"outputs {unknown} do not exist; the graph has {', '.join(names)}")
    kept: dict[str, list[torch.Tensor]] = {name: [] for name in (names if outputs is None else outputs)}
    hashes = {spec: sha256(f"{spec.name} {run.clock.start} {run.sizes}".encode()) for spec in graph.inputs}
    state = run.state
    with _running(graph), complying_if_asked(graph):
        for first, stop in _progress(run.clock, window, progress):
            clock, inputs = run.clock.sub(first, stop), run.inputs(first, stop)
            for spec, found in hashes.items():  # field by field: equal whatever the windows are
                if first == 0 or not spec.static:
                    found.update(inputs[spec.name].numpy(force=True).tobytes())
            values, state = graph(state, inputs, clock.times)
            graph.check_outputs(values, list(clock.times), run.sizes)
            for name, pieces in kept.items():
                pieces.append(values[name])
            if store is not None:
                store.save(state, {"time": clock.end.isoformat(), "calendar": clock.calendar, "graph_hash": identity})
    record = _record(graph, identity, hashes, seed)
    joined = {name: torch.cat(pieces) for name, pieces in kept.items()}
    return to_dataset(graph, joined, run.clock, run.forcing, record)


def _record(graph: Graph, identity: str, hashes: Mapping[FieldSpec, Any], seed: int | None) -> dict[str, str]:
    """Return what a run was made of, as attributes of its outputs."""
    used = versions(graph)
    record = {
        "source": f"crest-core {used.get('crest-core', '')}".strip(),
        "versions": json.dumps(used, sort_keys=True),
        "graph_hash": identity,
        "parameter_hash": parameter_hash(graph),
        "forcing_hash": sha256(b"".join(found.digest() for found in hashes.values())).hexdigest(),
        "seed": "none" if seed is None else str(seed),
    }
    if hidden := [name for name, child in graph.components.items() if child.opaque]:
        record["opaque"] = f"{', '.join(hidden)}: hides its state, so that this run has no restart"
    return record


def _resumed(store: Store, identity: str) -> tuple[Tensors, str, str]:
    """Return state, time and calendar of a restart that this graph wrote."""
    state, attributes = store.load()
    try:
        time, calendar, other = (attributes[key] for key in ("time", "calendar", "graph_hash"))
    except KeyError as error:
        raise StateError(f"the file to resume from has no {error}: it is not a restart of a run") from None
    if other != identity:
        hashes = f"hash {other[:12]}, this one {identity[:12]}"
        raise StateError(f"the restart of {time} was written by another graph ({hashes}); run the graph that wrote it")
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
def _running(graph: Graph) -> Iterator[None]:
    """Hold what surrounds every component call of a run: no tape, no denormals, dropout and the like switched off."""
    modes = [(module, module.training) for module in graph.modules()]
    graph.eval()
    try:
        with torch.no_grad(), flushed_denormals():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _progress(clock: Clock, window: str, shown: bool | None) -> Iterator[tuple[int, int]]:
    """Yield the windows of a clock, with a bar that shows rate and remaining time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    windows, began = clock.windows(window), monotonic()
    shown = sys.stderr.isatty() and len(windows) > 1 if shown is None else shown
    columns = (BarColumn(), "{task.completed}/{task.total} steps", "{task.description}", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("", total=len(clock))
        for first, stop in windows:
            yield first, stop
            bar.update(task, completed=stop, description=f"{stop / (monotonic() - began):.0f} steps/s")
