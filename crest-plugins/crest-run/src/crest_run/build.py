"""From a run file to its graph."""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from crest_core import Component, Connection, CrestError, Dictionary, Graph, PhysicalParameters, default_dictionary
from crest_core.plugins import PluginWarning, near, registry
from crest_run.errors import RunFileError
from crest_run.runfile import ComponentSection, RunFile
from crest_run.sums import check_sum


def build_graph(run: RunFile) -> Graph:
    """Return the graph of a run file; what is drawn at random (new weights) comes from its seed."""
    with torch.random.fork_rng(devices=[]):
        if run.seed is not None:
            torch.manual_seed(run.seed)
        components = {name: _component(run, name, section) for name, section in run.graph.components.items()}
    connections = []
    for i, section in enumerate(run.graph.connections):
        with run.at("graph", "connections", i):
            connections.append(Connection(**section.model_dump()))
    with run.at("graph"):
        graph = Graph(components, connections, dictionary=plugin_dictionary())
        return graph.to(getattr(torch, run.dtype))


def plugin_dictionary() -> Dictionary:
    """Return the field dictionary with the entries of all plugins; a broken one warns."""
    extra = []
    for entry in registry().of_kind("dictionaries"):
        try:
            extra.append(default_dictionary([registry().load(entry.kind, entry.name)]))
        except CrestError as error:
            who = f"dictionary {entry.name!r} of {entry.distribution} {entry.version}"
            warnings.warn(f"{who} is left out: {error}", PluginWarning, stacklevel=2)
    return default_dictionary(extra)


def call(target: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
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
    for key, value in arguments.items():
        asked = signature.parameters[key].annotation if key in signature.parameters else None
        kind = getattr(asked, "__name__", asked)  # text, where annotations are not evaluated
        if isinstance(value, str) and kind in ("float", "int"):
            raise RunFileError(f"with: {key}: expected a number ({kind}), got {value!r}")
    return target(**arguments)


def _component(run: RunFile, name: str, section: ComponentSection) -> Component:
    place = ("graph", "components", name)
    with run.at(*place, "use"):
        target = registry().load("components", section.use)
    seed = None if run.seed is None else _seed(run.seed, name)
    with run.at(*place), torch.random.fork_rng(devices=[]):
        arguments = dict(section.arguments)
        if seed is not None:
            torch.manual_seed(seed)
            if "generator" in inspect.signature(target).parameters:
                arguments["generator"] = torch.Generator().manual_seed(seed)
        component = call(target, arguments)
        if not isinstance(component, Component):
            kind = type(component).__name__
            raise RunFileError(
                f"use: {section.use!r} gives a {kind}, expected a Component; see `crest info {section.use}`"
            )
    if section.weights:
        with run.at(*place, "weights"):
            check_sum(section.weights, section.sha256)
            component.load_weights(section.weights)
    holders = [child for child in component.modules() if isinstance(child, PhysicalParameters)]
    known = [spec.name for holder in holders for spec in holder.specs]
    for key, value in section.parameters.items():
        with run.at(*place, "parameters", key):
            if key not in known:
                names = ", ".join(known) or "none"
                raise RunFileError(f"{section.use} has no such parameter{near(key, known)}; parameters: {names}")
            for holder in holders:
                holder.assign({key: torch.tensor(value, dtype=torch.float64)})
    return component


def _seed(seed: int, name: str) -> int:
    """Return a seed of a component's own: one seed for all would make their numbers equal."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])
