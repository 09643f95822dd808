"""Restarting: whether what goes on with a restart is the graph, places, parameters and forcing that wrote it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import xarray as xr

from crest_core.component import Tensors
from crest_core.errors import RestartError, StateError
from crest_core.forcing import Forcing
from crest_core.store import Archive, Store

_DIFFERENCES = ("parameters", "forcing", "places")


def check_accept(accept: Collection[str]) -> None:
    """Raise StateError where `accept` is not a collection of what restarts may differ by."""
    if isinstance(accept, str) or (unknown := sorted({*accept} - {*_DIFFERENCES})):
        held = repr(accept) if isinstance(accept, str) else unknown
        raise StateError(f"accept holds {held}; expected some of {', '.join(_DIFFERENCES)}, as a list")


def read_restart(store: Store | Archive, identity: str) -> tuple[Tensors, dict[str, Any]]:
    """Return state and attributes of a restart that the graph of this hash wrote."""
    state, attributes = store.load()
    if missing := [key for key in ("time", "calendar", "graph_hash") if key not in attributes]:
        raise StateError(f"the file to resume from has no {missing[0]!r}: it is not a restart of a run")
    time, other = attributes["time"], attributes["graph_hash"]
    if other != identity:
        hashes = f"hash {other[:12]}, this one {identity[:12]}"
        raise StateError(f"the restart of {time} was written by another graph ({hashes}); run the graph that wrote it")
    try:
        bytes.fromhex(attributes.get("forcing_hash", ""))
        if not isinstance(json.loads(attributes.get("places", "{}")), dict):
            raise ValueError("places is no mapping")
    except (TypeError, ValueError) as error:
        raise StateError(f"the record of the restart of {time} is damaged ({error}); take an earlier one") from error
    return state, attributes


def places(forcing: Forcing) -> dict[str, str]:
    """Return ends, number and sha256 of every coordinate of the places: their ids and where they are."""
    coordinates = {str(name): one.variable for name, one in forcing.dataset.coords.items()}
    return {name: _summary(one) for name, one in coordinates.items() if one.dims and {*one.dims} <= forcing.places}


def check_restart(restart: Mapping[str, str], now: Mapping[str, str], accept: Collection[str]) -> None:
    """Raise RestartError where a restart is of other places, parameters or forcing, unless `accept` names these.

    What only one of them knows is not compared, such as a coordinate of the places.
    """
    who = f"the restart of {restart['time']} (window from {restart.get('start')})"
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
    """Return a coordinate in words; the same for numbers of any kind that are equal as float32."""
    values = coordinate.values
    kind = values.dtype.kind
    number = kind == "f" or (kind in "iu" and bool((values == values.astype("<f4")).all()))
    content = (values + 0.0).astype("<f4").tobytes() if number else "\0".join(map(str, values.flat)).encode()
    ends = " ... ".join(f"{one:.7g}" if number else str(one) for one in (*values.flat[:1], *values.flat[-1:]))
    return f"{ends} {values.shape}, sha256 {sha256(content).hexdigest()[:16]}"
