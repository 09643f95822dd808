"""Provenance: which distributions, graph, parameters, forcing and seed made an output."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
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
    modules = {type(child).__module__.partition(".")[0] for child in component.modules()}
    found = (distribution(module) for module in sorted({*modules, *_ALWAYS}))
    return dict(pair for pair in found if pair is not None)


def distribution(module: str) -> tuple[str, str] | None:
    """Return (name, version) of the distribution that holds a top-level module; None for a script."""
    owners = _owners().get(module, (module.replace("_", "-"),))  # editable installs list no files
    try:
        return owners[0], version(owners[0])
    except PackageNotFoundError:
        return None


@cache
def _owners() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


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
