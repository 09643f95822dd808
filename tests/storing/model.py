"""An in-memory model of a run with branches: what must be committed after every operation, computed without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr
from crest_store import Stream

from crest_core import Connection, Graph, Tensors, simulate
from crest_core.testing import LinearReservoir, NumpyBucket, Stress, weather

WINDOW = "2D"
DAYS = 2 * 100  # of weather
KEEP, KEEP_EVERY = 2, 3
INTERVAL = 5  # days
STREAMS = {
    "steps": Stream(fields=("runoff", "storage")),
    "peaks": Stream(every=f"{INTERVAL}D", statistic="max", fields=("runoff",)),
}
SCENARIOS = (0, 1, 2)


def graph() -> Graph:
    """Return a loop of two, one of them a black box, and a river."""
    parts = {"plant": Stress(), "soil": NumpyBucket(), "river": LinearReservoir()}
    return Graph(parts, [Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)])


@cache
def forcing(scenario: int) -> xr.Dataset:
    """Return the weather of a scenario: each has more rain than the one before."""
    data = weather(DAYS, 2, seed=5)
    rain = data["precipitation"]
    return data.assign(precipitation=(rain * (1.0 + 0.5 * scenario)).assign_attrs(rain.attrs))


def day(cycles: int) -> np.datetime64:
    """Return the end of so many cycles."""
    return np.datetime64("2001-01-01") + np.timedelta64(2 * cycles, "D")


@dataclass
class Kept:
    """A store in memory."""

    state: Tensors = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def save(self, state: Tensors, attributes: Mapping[str, Any]) -> None:
        """Keep a state."""
        self.state, self.attributes = {name: value.clone() for name, value in state.items()}, dict(attributes)

    def load(self) -> tuple[Tensors, dict[str, Any]]:
        """Return it."""
        return self.state, self.attributes


@cache
def after(scenarios: tuple[int, ...]) -> tuple[Kept, dict[str, np.ndarray]]:
    """Return the state after cycles of these scenarios, and all steps of the history."""
    before, history = after(scenarios[:-1]) if len(scenarios) > 1 else (None, {})
    kept = Kept()
    outputs = simulate(
        graph(),
        forcing(scenarios[-1]),
        end=str(day(len(scenarios))),
        window=WINDOW,
        resume=before,
        accept=["forcing"],
        store=kept,
    )
    fields = {name: outputs[name].values for name in ("runoff", "storage")}
    return kept, {name: np.concatenate([history[name], new]) if history else new for name, new in fields.items()}


def forcing_hash(scenarios: tuple[int, ...]) -> str:
    """Return the hash of the forcing of all cycles, which tells one sequence of scenarios from another."""
    return str(after(scenarios)[0].attributes["forcing_hash"])


def peaks(runoff: np.ndarray) -> np.ndarray:
    """Return the largest runoff of each whole interval; the first one begins with the run."""
    days = (np.datetime64("2001-01-01") - np.datetime64("2000-01-01")).astype(int) + np.arange(len(runoff))
    rows = [runoff[days // INTERVAL == one] for one in np.unique(days // INTERVAL)]
    whole = (days[-1] + 1) % INTERVAL == 0
    rows = rows if whole else rows[:-1]
    return np.stack([row.max(axis=0) for row in rows]) if rows else np.empty((0, *runoff.shape[1:]), runoff.dtype)


@dataclass
class Branch:
    """The scenarios of the committed cycles and the cycles that have a restart."""

    scenarios: tuple[int, ...] = ()
    restarts: frozenset[int] = frozenset()

    def advanced(self, base: int, scenario: int) -> Branch:
        """Return the branch after one more cycle that goes on from the end of cycle `base`."""
        new = base + 1
        kept = {cycle for cycle in self.restarts if cycle <= base and (cycle > new - KEEP or cycle % KEEP_EVERY == 0)}
        return Branch((*self.scenarios[:base], scenario), frozenset(kept | {new}))

    def cut(self, cycle: int) -> Branch:
        """Return the branch as it was at the end of a cycle, with the restarts that are left of it."""
        return Branch(self.scenarios[:cycle], frozenset(one for one in self.restarts if one <= cycle))


def equal_states(one: Tensors, other: Tensors) -> bool:
    """Return whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(
        value.flatten().view(torch.uint8).equal(other[name].flatten().view(torch.uint8)) for name, value in one.items()
    )
