"""Provenance: which distributions, graph, parameters, forcing and seed made an output."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.graph import Graph

_owners = cache(packages_distributions)  # reads the file lists of all distributions


def provenance(graph: Graph, *, forcing_hash: str, seed: int | None) -> dict[str, Any]:
    """Return versions and sha256 hashes; equal hashes mean equal graphs, parameters and forcing."""
    return {
        "versions": versions(graph),
        "graph_hash": graph_hash(graph),
        "parameter_hash": parameter_hash(graph),
        "forcing_hash": forcing_hash,
        "seed": "none" if seed is None else str(seed),
    }


def versions(component: Component) -> dict[str, str]:
    """Return the version of every distribution whose code takes part; a script has none."""
    kinds = {kind for child in component.modules() for kind in type(child).__mro__}
    modules = {kind.__module__.partition(".")[0] for kind in kinds} - sys.stdlib_module_names
    found = {}
    for module in sorted({*modules, "crest_core", "torch", "numpy", "xarray"}):
        owner = _owners().get(module, [module.replace("_", "-")])[0]  # editable installs list no files
        with suppress(PackageNotFoundError):
            found[owner] = version(owner)
    return found


def graph_hash(graph: Graph) -> str:
    """Return the sha256 of components, fields, links and order, nested graphs too, without parameter values.

    What a component prints of itself (`extra_repr` of torch) counts, such as the scaling of its inputs.
    """
    found = hashlib.sha256(repr(graph).encode())  # holds the plan of every graph inside
    for child in graph.modules():
        if isinstance(child, Component):
            fields = (child.inputs, child.outputs, child.states, child.parameter_specs)
            found.update(f"{type(child).__module__}.{type(child).__qualname__} {fields!r}".encode())
        if isinstance(child, Graph):
            starts = [link.initial for link in child.links if isinstance(link.initial, Tensor)]
            found.update(repr([start.tolist() for start in starts]).encode())
    return found.hexdigest()


class ForcingHash:
    """The sha256 of forcing, field by field, so that it does not depend on the windows in which it is read."""

    def __init__(self, graph: Graph, setting: str) -> None:
        self._static = {spec.name for spec in graph.inputs if spec.static}
        self._fields = {spec.name: hashlib.sha256(f"{spec.name} {setting}".encode()) for spec in graph.inputs}
        self._begun = False

    def add(self, inputs: Tensors) -> None:
        """Add the next window; static fields count once."""
        for name in self._fields.keys() - (self._static if self._begun else set()):
            self._fields[name].update(inputs[name].numpy(force=True).tobytes())
        self._begun = True

    def hexdigest(self) -> str:
        """Return the hash of all that was added."""
        return hashlib.sha256(b"".join(found.digest() for found in self._fields.values())).hexdigest()


def parameter_hash(component: Component) -> str:
    """Return the sha256 of all parameters and buffers, in the order of their names."""
    found = hashlib.sha256()
    for name, value in sorted(component.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.numpy(force=True).tobytes())
    return found.hexdigest()
