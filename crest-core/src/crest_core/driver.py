"""Driver: run a model over a period in time windows, xarray in and xarray out."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic
from typing import Any

import torch
import xarray as xr

from crest_core.component import Component, Sizes, Tensors
from crest_core.errors import ForcingError, RestartError, StateError
from crest_core.forcing import Forcing, PeriodError
from crest_core.graph import Graph
from crest_core.output import to_dataset
from crest_core.provenance import graph_hash, parameter_hash, versions
from crest_core.restarting import check_accept, check_restart, places, read_restart
from crest_core.store import Archive, Store
from crest_core.testing.compliance import complying_if_asked
from crest_fields.clock import Clock
from crest_fields.errors import TimeError


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
    resume: Store | Archive | None = None,
    store: Store | None = None,
    archive: Archive | None = None,
    accept: Collection[str] = (),
    outputs: Sequence[str] | None = None,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
    record: Mapping[str, str] | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Return the outputs of a run over [start, end) as a CF Dataset, without gradients.

    Forcing is read (one window ahead) and run in windows cut at multiples of `window` since 2000-01-01; at the end of
    each, `store` receives the state, from which `resume` goes on. An `archive` receives the outputs of each window too,
    and is opened in the end: memory does not grow with the length of the run. A restart of other places, parameters or
    forcing (in its last window, where the data cover it) is refused, unless `accept` names these. `seed` and the
    attributes in `record` are only written. `progress` None shows a bar on a terminal.
    """
    graph = model if isinstance(model, Graph) else Graph({"model": model})
    check_accept(accept)
    _check_targets(graph, outputs, store, archive)
    identity, restart = graph_hash(graph), dict[str, Any]()
    if resume is not None:
        if state is not None or start is not None:
            raise StateError("a run that resumes takes state and start from the restart; leave state= and start= out")
        state, restart = read_restart(resume, identity)
        start, calendar = restart["time"], restart["calendar"]
    run = prepare(graph, forcing, start=start, end=end, calendar=calendar, state=state, dtype=dtype)
    facts = _record(run, identity, seed) | dict(record or {})
    if resume is not None:
        known = {} if "forcing" in accept else _last_window(restart, run)
        check_restart(restart, facts | known, accept)
    facts["forcing_hash"] = restart.get("forcing_hash", "")
    kept = [spec.name for spec in graph.outputs] if outputs is None else list(outputs)
    with _running(graph), complying_if_asked(graph):
        values = _run_windows(run, facts, kept, window, store, archive, progress)
    if archive is not None:
        return archive.open()
    history = {"history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} simulated by CREST"}
    return to_dataset(graph, values, run.clock, run.forcing, history | facts)


def _check_targets(graph: Graph, outputs: Sequence[str] | None, store: Store | None, archive: Archive | None) -> None:
    """Raise StateError where outputs or restart cannot be kept as asked."""
    if store is not None and archive is not None:
        raise StateError("a run keeps its restart in one place; give store= or archive=, not both")
    if (store is not None or archive is not None) and graph.opaque:
        raise StateError("a graph with an opaque component hides state and cannot write a restart")
    names = [spec.name for spec in graph.outputs]
    if unknown := sorted(set(outputs or ()) - set(names)):
        raise StateError(f"outputs {unknown} do not exist; the graph has {', '.join(names)}")


def _run_windows(
    run: Prepared,
    facts: dict[str, str],
    kept: Sequence[str],
    window: str,
    store: Store | None,
    archive: Archive | None,
    progress: bool | None,
) -> Tensors:
    """Run window by window, commit or save the end of each; return the kept outputs where no archive has them.

    `facts` is left with the forcing hash of the whole run.
    """
    state, graph = run.state, run.graph
    pieces: list[Tensors] = []
    for clock, inputs in _windows(run, window, progress):
        facts["forcing_hash"] = forcing_hash(facts["forcing_hash"], inputs, run)
        values, state = graph(state, inputs, clock.times)
        graph.check_outputs(values, list(clock.times), run.sizes)
        values = {name: values[name] for name in kept}
        made = facts | {"start": clock.start.isoformat(), "time": clock.end.isoformat(), "calendar": clock.calendar}
        if store is not None or archive is not None:
            made["window_hash"] = forcing_hash("", inputs, replace(run, clock=clock))
        if archive is not None:
            archive.commit(to_dataset(graph, values, clock, run.forcing, {}), state, made)
            continue
        pieces.append(values)
        if store is not None:
            store.save(state, made)
    return {name: torch.cat([values[name] for values in pieces]) for name in kept} if pieces else {}


def forcing_hash(before: str, inputs: Tensors, run: Prepared) -> str:
    """Return the sha256 that goes on from `before`, or begins (""), over the steps of inputs; windows do not matter."""
    series = {spec.name: inputs[spec.name].numpy(force=True) for spec in run.graph.inputs if not spec.static}
    found = sha256(f"{[spec.name for spec in run.graph.inputs]} {run.sizes}".encode())
    for spec in run.graph.inputs:
        if spec.static:
            found.update(inputs[spec.name].numpy(force=True).tobytes())
    static = found.digest()
    digest = bytes.fromhex(before) or sha256(run.clock.start.isoformat().encode() + static).digest()
    for values in zip(*series.values(), strict=True):
        digest = sha256(b"".join((digest, static, *(value.tobytes() for value in values)))).digest()
    return digest.hex()


def _record(run: Prepared, identity: str, seed: int | None) -> dict[str, str]:
    """Return what a run is made of, as attributes of its outputs."""
    graph, used = run.graph, versions(run.graph)
    record = {
        "source": f"crest-core {used.get('crest-core', '')}".strip(),
        "versions": json.dumps(used, sort_keys=True),
        "graph_hash": identity,
        "parameter_hash": parameter_hash(graph),
        "places": json.dumps(places(run.forcing)),
        "seed": "none" if seed is None else str(seed),
    }
    if hidden := [name for name, child in graph.components.items() if child.opaque]:
        record["opaque"] = f"{', '.join(hidden)}: hides its state, so that this run has no restart"
    return record


def _last_window(restart: Mapping[str, Any], run: Prepared) -> dict[str, str]:
    """Return the hash of what the forcing now holds of the last window of a restart; nothing where it begins later."""
    try:
        before = replace(run, clock=run.forcing.clock(restart["start"], restart["time"]))
    except (ForcingError, KeyError):
        return {}
    except TimeError as error:
        raise StateError(f"the record of the restart of {restart['time']} is damaged ({error})") from error
    try:
        return {"window_hash": forcing_hash("", before.inputs(), before)}
    except ForcingError as error:
        told = f"forcing of its last window, from {restart['start']}, cannot be compared: {error}"
        raise RestartError(
            f"the restart of {restart['time']}: the {told}, or say accept=['forcing']", "forcing"
        ) from error


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


def _windows(run: Prepared, length: str, shown: bool | None) -> Iterator[tuple[Clock, Tensors]]:
    """Yield clock and forcing of every window, the next one read meanwhile; with a bar of rate and remaining time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    windows, began = run.clock.windows(length), monotonic()
    shown = sys.stderr.isatty() and len(windows) > 1 if shown is None else shown
    columns = (BarColumn(), "{task.completed}/{task.total} steps", "{task.description}", TimeRemainingColumn())
    with (
        ThreadPoolExecutor(1, "crest-forcing") as reader,
        Progress(*columns, console=Console(stderr=True), disable=not shown) as bar,
    ):
        task, ahead = bar.add_task("", total=len(run.clock)), deque([reader.submit(run.inputs, *windows[0])])
        for (first, stop), coming in zip(windows, [*windows[1:], None], strict=True):
            inputs = ahead.popleft().result()
            ahead.extend([reader.submit(run.inputs, *coming)] if coming else [])
            yield run.clock.sub(first, stop), inputs
            bar.update(task, completed=stop, description=f"{stop / (monotonic() - began):.0f} steps/s")
