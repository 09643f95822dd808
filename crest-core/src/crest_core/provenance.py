"""Provenance: which distributions, graph and parameters made an output."""

from __future__ import annotations

import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from torch import Tensor

from crest_core.component import Component
from crest_core.graph import Graph

_owners = cache(packages_distributions)  # reads the file lists of all distributions, which takes a second


def versions(component: Component) -> dict[str, str]:
    """Return the version of every distribution whose code takes part; a script has none."""
    kinds = {kind for child in component.modules() for kind in type(child).__mro__}
    modules = {kind.__module__.partition(".")[0] for kind in kinds} - {*sys.stdlib_module_names, "__main__"}
    found = {}
    for module in sorted({*modules, "crest_core", "torch", "numpy", "xarray"}):
        name = module.replace("_", "-")
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found |= {owner: version(owner) for owner in _owners().get(module, [])[:1]}
    return found


def graph_hash(graph: Graph) -> str:
    """Return the sha256 of components, fields, links and order, nested graphs too, without parameter values.

    What a component prints of itself (`extra_repr` of torch) counts, such as the scaling of its inputs.
    """
    found = sha256(repr(graph).encode())  # holds the plan of every graph inside
    for child in graph.modules():
        if isinstance(child, Component):
            fields = (child.inputs, child.outputs, child.states, child.parameter_specs)
            found.update(f"{type(child).__module__}.{type(child).__qualname__} {fields!r}".encode())
        if isinstance(child, Graph):
            starts = [link.initial for link in child.links if isinstance(link.initial, Tensor)]
            found.update(repr([start.tolist() for start in starts]).encode())
    return found.hexdigest()


def parameter_hash(component: Component) -> str:
    """Return the sha256 of all parameters and buffers, in the order of their names."""
    found = sha256()
    for name, value in sorted(component.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.numpy(force=True).tobytes())
    return found.hexdigest()
