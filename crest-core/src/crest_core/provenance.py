"""Provenance: which distributions, graph, parameters, forcing, places and seed made an output."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version

import xarray as xr
from torch import Tensor

from crest_core.component import Component
from crest_core.errors import RestartError, StateError
from crest_core.forcing import Forcing
from crest_core.graph import Graph

_owners = cache(packages_distributions)  # reads the file lists of all distributions


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


def places(forcing: Forcing) -> dict[str, str]:
    """Return ends, number and sha256 of every coordinate of the places: their ids and where they are."""
    coordinates = {str(name): one.variable for name, one in forcing.dataset.coords.items()}
    return {name: _summary(one) for name, one in coordinates.items() if one.dims and {*one.dims} <= forcing.places}


def check_restart(restart: Mapping[str, str], now: Mapping[str, str], accept: Collection[str]) -> None:
    """Raise RestartError where a restart is of other places, parameters or forcing, unless `accept` names these.

    What only one of them knows is not compared, such as a coordinate of the places.
    """
    who = f"the restart of {restart['time']} (window from {restart.get('start')})"
    if unknown := sorted({*accept} - {"parameters", "forcing", "places"}):
        raise StateError(f"accept holds {unknown}; expected some of parameters, forcing, places")
    before, here = (json.loads(one.get("places", "{}")) for one in (restart, now))
    if not before.keys() & here.keys() and (before or here or "places" not in restart):
        has, given = (", ".join(one) or "none" for one in (before, here))
        told = f"it holds the coordinates {has}, the forcing {given}; make sure that they are the same places"
        warnings.warn(f"{who} cannot be compared by places: {told}", stacklevel=3)
    pairs = [("places", name, was, here.get(name)) for name, was in before.items()]
    for what, name in (("parameters", "parameter_hash"), ("forcing", "window_hash")):
        pairs.append((what, name, restart.get(name), now.get(name)))
    for what, name, was, is_ in pairs:
        if None not in (was, is_) and was != is_ and what not in accept:
            told = f"was written with other {what}: {name} was {was}, is {is_}; take those, or say accept=[{what!r}]"
            raise RestartError(f"{who} {told}", what)


def _summary(coordinate: xr.Variable) -> str:
    """Return a coordinate in words; the same for float32 and float64."""
    values = coordinate.values
    real = values.dtype.kind == "f"
    content = (values + 0.0).astype("<f4").tobytes() if real else "\0".join(map(str, values.flat)).encode()
    ends = " ... ".join(f"{one:.7g}" if real else str(one) for one in (*values.flat[:1], *values.flat[-1:]))
    return f"{ends} {values.shape}, sha256 {sha256(content).hexdigest()[:16]}"
