"""From a run file to graph, forcing and results; `crest run` does no more than this.

run = load_run("run.yaml")
results = execute(run)
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from safetensors import SafetensorError
from safetensors.torch import load_file

from crest_core.component import Component
from crest_core.connection import Connection
from crest_core.dictionary import Dictionary, default_dictionary
from crest_core.driver import simulate
from crest_core.errors import CrestError, RunFileError, StoreError
from crest_core.graph import Graph
from crest_core.parameters import PhysicalParameters
from crest_core.plugins import PluginWarning, near, registry
from crest_core.runfile import ComponentSection, RunFile
from crest_core.store import SafetensorsStore, write_atomically

_FAULTS = (TypeError, ValueError, LookupError, OSError, RuntimeError, SafetensorError)


def build_graph(run: RunFile) -> Graph:
    """Return the graph of a run file; what is drawn at random (new weights) comes from its seed."""
    with torch.random.fork_rng(devices=[]):
        if run.seed is not None:
            torch.manual_seed(run.seed)
        components = {name: _component(run, name, section) for name, section in run.graph.components.items()}
    connections = []
    for i, section in enumerate(run.graph.connections):
        with _at(run, "graph", "connections", i):
            connections.append(Connection(**section.model_dump()))
    with _at(run, "graph"):
        graph = Graph(components, connections, dictionary=plugin_dictionary())
        return graph.to(getattr(torch, run.dtype))


def plugin_dictionary() -> Dictionary:
    """Return the field dictionary with the entries of all plugins; a broken one warns."""
    extra = []
    for entry in registry().of_kind("dictionaries"):
        try:
            extra.append(default_dictionary([registry().load(entry.kind, entry.name)]))
        except CrestError as error:
            warnings.warn(f"left out: {error}", PluginWarning, stacklevel=2)
    return default_dictionary(extra)


def open_forcing(run: RunFile) -> xr.Dataset:
    """Return the forcing of a run file; values of a file are read when they are needed."""
    if run.forcing.path is not None:
        with _at(run, "forcing", "path"):
            return xr.open_dataset(run.forcing.path)
    with _at(run, "forcing", "source"):
        source = registry().load("data_sources", str(run.forcing.source))
    with _at(run, "forcing"):
        dataset: xr.Dataset = _call(source, run.forcing.arguments)
        return dataset


def execute(run: RunFile, *, progress: bool | None = None) -> xr.Dataset:
    """Return the results of a run, and write what its section output asks for."""
    output = run.output
    for path in filter(None, (output.path, output.restart, output.record)):
        with _at(run, "output"):
            path.parent.mkdir(parents=True, exist_ok=True)  # fail before the run, not after
    graph = build_graph(run)
    with open_forcing(run) as forcing:
        results = simulate(
            graph,
            forcing,
            start=run.period.start if run.period else None,
            end=run.period.end if run.period else None,
            calendar=run.calendar,
            window=run.window,
            resume=SafetensorsStore(run.resume) if run.resume else None,
            store=SafetensorsStore(output.restart) if output.restart else None,
            outputs=output.fields or None,
            dtype=getattr(torch, run.dtype),
            seed=run.seed,
            progress=progress,
        )
    if output.path:
        _write(results, output.path)
    if output.record:
        record = {**results.attrs, "versions": json.loads(results.attrs["versions"])}
        record |= {"seed": run.seed, "run": run.model_dump(mode="json", by_alias=True)}
        write_atomically(output.record, json.dumps(record, indent=2, default=str).encode())
    return results


def _component(run: RunFile, name: str, section: ComponentSection) -> Component:
    place = ("graph", "components", name)
    with _at(run, *place, "use"):
        target = registry().load("components", section.use)
    seed = None if run.seed is None else _seed(run.seed, name)
    with _at(run, *place), torch.random.fork_rng(devices=[]):
        arguments = dict(section.arguments)
        if seed is not None:
            torch.manual_seed(seed)
            if "generator" in inspect.signature(target).parameters:
                arguments["generator"] = torch.Generator().manual_seed(seed)
        component: Component = _call(target, arguments)
    if section.weights:
        with _at(run, *place, "weights"):
            component.load_state_dict(load_file(section.weights))
    holders = [child for child in component.modules() if isinstance(child, PhysicalParameters)]
    known = [spec.name for holder in holders for spec in holder.specs]
    for key, value in section.parameters.items():
        with _at(run, *place, "parameters", key):
            if key not in known:
                names = ", ".join(known) or "none"
                raise RunFileError(f"{section.use} has no such parameter{near(key, known)}; parameters: {names}")
            for holder in holders:
                holder.assign({key: torch.tensor(value, dtype=torch.float64)})
    return component


def _seed(seed: int, name: str) -> int:
    """Return a seed of a component's own: one seed for all would make their numbers equal."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])


def _call(target: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a class or function from a plugin; RunFileError if the arguments are not its own."""
    signature = inspect.signature(target)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        known = list(signature.parameters)
        hints = "".join(near(key, known) for key in arguments if key not in known)
        raise RunFileError(
            f"with: {error}{hints}; arguments: {', '.join(map(str, signature.parameters.values()))}"
        ) from error
    return target(**arguments)


def _write(results: xr.Dataset, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        results.to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written: {error}") from error


@contextmanager
def _at(run: RunFile, *place: str | int) -> Iterator[None]:
    """Put file, line and key before the message of any error inside."""
    try:
        yield
    except CrestError as error:
        raise type(error)(f"{run.where(*place)}: {error}") from error
    except _FAULTS as error:
        raise RunFileError(f"{run.where(*place)}: {type(error).__name__}: {error}") from error
