"""What a state of a loader is of: a loader goes on from states of its own samples, order and batches only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crest_samples.blocks import Block
from crest_samples.errors import SampleError
from crest_samples.identity import digest
from crest_samples.orders import Order
from crest_samples.places import Places
from crest_samples.planning import Plan
from crest_samples.samples import Samples
from crest_samples.times import TimeAxis
from crest_samples.window import Window

_PROBE = 0  # seed of a draw that tells orders apart and is used for nothing else


@dataclass(frozen=True, eq=False)
class Fact:
    """What a state and a loader must agree in: a number, or a digest."""

    value: Tensor
    what: str
    repair: str


def digest_of_samples(samples: Samples) -> Tensor:
    """Return the SHA-256 of places, times, window, names and the index (place, start), as 32 bytes."""
    names = json.dumps([samples.inputs.units, samples.targets.units], sort_keys=True)
    return _digest(names, *_common(samples.places, samples.axis, samples.window), samples.index.numpy())


def digest_of_plan(plan: Plan, blocks: Sequence[Block]) -> Tensor:
    """Return the SHA-256 of what a plan takes of its sources, and of its blocks."""
    sources = [(s.variables, s.match, s.radius, s.cover, s.patch, s.optional, s.flag) for s in plan.sources]
    masks = [mask.identity() for mask in plan.masks]
    text = json.dumps([sources, len(plan.inputs), plan.every, plan.shares, masks])
    edges = np.array([(block.first, block.stop, len(block.numbers)) for block in blocks], dtype=np.int64)
    numbers = np.concatenate([block.numbers for block in blocks])
    return _digest(text, *_common(plan.places, plan.axis, plan.window), plan.has_start, edges, numbers)


def digest_of_order(order: Order, drop_last: bool) -> Tensor:
    """Return the SHA-256 of what an order draws from one and the same generator; costs the draw of an epoch."""
    return _digest(str(drop_last), order.draw(torch.Generator().manual_seed(_PROBE)).numpy())


def check_state(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], facts: Mapping[str, Fact], counts: Sequence[str], who: str
) -> None:
    """Return if a state has what this loader's own state has, is of the same facts, and counts from 0."""
    if lacking := sorted(set(own) - set(state)):
        raise SampleError(f"{who}: the state lacks {lacking}; give what state() of such a loader returned, whole")
    for name, mine in own.items():
        if not isinstance(state[name], Tensor) or (state[name].dtype, state[name].shape) != (mine.dtype, mine.shape):
            raise SampleError(f"{who}: {name} of the state is {_kind(state[name])}, expected {_kind(mine)}")
    for name, fact in facts.items():
        theirs, ours = state[name].cpu(), fact.value
        if not torch.equal(theirs, ours):
            number = theirs.dim() == 0
            differs = f"{int(theirs)} {fact.what}, this loader has {int(ours)}" if number else f"other {fact.what}"
            raise SampleError(f"{who}: the state is of {differs}; {fact.repair}")
    if wrong := [f"{name} {int(state[name])}" for name in counts if int(state[name]) < 0]:
        raise SampleError(f"{who}: the state has {', '.join(wrong)}, expected 0 or more; it is damaged")


def generator_at(state: Tensor, like: torch.Generator, who: str) -> torch.Generator:
    """Return another generator in a state, so that a bad state is found before anything is changed."""
    made = torch.Generator(device=like.device)
    try:
        made.set_state(state)
    except (RuntimeError, TypeError) as error:
        raise SampleError(f"{who}: the state's generator is damaged: {error}") from error
    return made


def _common(places: Places, axis: TimeAxis, window: Window) -> tuple[str | NDArray[Any], ...]:
    facts = json.dumps([places.ids.tolist(), axis.calendar, axis.zone, window.length, window.scored])
    return facts, places.lat, places.lon, axis.seconds


def _digest(*parts: str | NDArray[Any]) -> Tensor:
    return torch.tensor(list(digest(*parts)), dtype=torch.uint8)


def _kind(value: object) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
