"""Provenance: which distributions, graph, parameters, forcing and seed made an output."""

from __future__ import annotations

import hashlib
from importlib.metadata import packages_distributions, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crest_core.component import Component
    from crest_core.graph import Graph

_ALWAYS = ("crest_core", "torch", "numpy", "xarray")


def provenance(graph: Graph, *, forcing_hash: str, seed: int | None) -> dict[str, Any]:
    """Return versions and sha256 hashes; equal hashes mean equal graphs, parameters and forcing."""
    return {
        "versions": versions(graph),
        "graph_hash": graph_hash(graph),
        "parameter_hash": parameter_hash(graph),
        "forcing_hash": forcing_hash,
        "seed": "none" if seed is None else seed,
    }


def versions(component: Component) -> dict[str, str]:
    """Return the version of every distribution whose code takes part."""
    owners = packages_distributions()
    modules = {type(child).__module__.partition(".")[0] for child in component.modules()}
    names = {name for module in {*modules, *_ALWAYS} for name in owners.get(module, ())}
    return {name: version(name) for name in sorted(names)}


def distribution_of(component: Component) -> str:
    """Return "distribution version" of the package that a component comes from, or its module."""
    module = type(component).__module__.partition(".")[0]
    names = packages_distributions().get(module)
    return f"{names[0]} {version(names[0])}" if names else module


def graph_hash(graph: Graph) -> str:
    """Return the sha256 of components, fields, links and order, without parameter values."""
    parts = [str(graph.plan())]
    for name, child in graph.components.items():
        fields = (child.inputs, child.outputs, child.states, child.parameter_specs)
        parts.append(f"{name} {type(child).__module__}.{type(child).__qualname__} {fields!r}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def parameter_hash(component: Component) -> str:
    """Return the sha256 of all parameters and buffers, in the order of their names."""
    found = hashlib.sha256()
    for name, value in sorted(component.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
