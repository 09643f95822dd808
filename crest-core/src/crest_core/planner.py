"""Planner: what runs as a whole sequence, and what must step inside a feedback loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from crest_core.errors import CouplingError
from crest_core.matching import FORCING, Link


@dataclass(frozen=True)
class Block:
    """Components that run together: one as a whole sequence, or a feedback loop step by step."""

    members: tuple[str, ...]
    loop: bool

    def describe(self) -> str:
        """Return "sequence: a" or "loop: a -> b"."""
        return f"{'loop' if self.loop else 'sequence'}: {' -> '.join(self.members)}"


def plan_blocks(names: Sequence[str], links: Sequence[Link]) -> tuple[Block, ...]:
    """Return the blocks in running order: strongly connected components of the component graph.

    Inside a loop the components follow their unlagged links; where several orders are possible, the order of
    `names` decides. Raises CouplingError on a cycle without a lagged connection.
    """
    index = {name: i for i, name in enumerate(names)}
    inner = [link for link in links if link.source.component != FORCING]
    edges = [(index[k.source.component], index[k.target.component]) for k in inner]
    matrix = csr_array(
        (np.ones(len(edges)), ([a for a, _ in edges], [b for _, b in edges])),
        shape=(len(names), len(names)),
    )
    count, labels = connected_components(matrix, directed=True, connection="strong")
    before: dict[int, set[int]] = {group: set() for group in range(count)}
    for a, b in edges:
        if labels[a] != labels[b]:
            before[int(labels[b])].add(int(labels[a]))
    first = {g: min(i for i in range(len(names)) if labels[i] == g) for g in before}
    blocks = []
    for group in _topological(before, first):
        members = [name for name in names if labels[index[name]] == group]
        own = [k for k in inner if {k.source.component, k.target.component} <= set(members)]
        blocks.append(Block(_loop_order(members, own), loop=bool(own)))
    return tuple(blocks)


def _topological(before: dict[int, set[int]], first: dict[int, int]) -> list[int]:
    waiting = {group: set(sources) for group, sources in before.items()}
    order: list[int] = []
    while waiting:
        ready = min((g for g, sources in waiting.items() if not sources), key=first.__getitem__)
        order.append(ready)
        del waiting[ready]
        for sources in waiting.values():
            sources.discard(ready)
    return order


def _loop_order(members: list[str], links: list[Link]) -> tuple[str, ...]:
    waiting = {name: set() for name in members}  # type: dict[str, set[str]]
    for link in links:
        if not link.lagged:
            waiting[link.target.component].add(link.source.component)
    order: list[str] = []
    while waiting:
        ready = [name for name, sources in waiting.items() if not sources]
        if not ready:
            raise CouplingError(_cycle_message(waiting, links))
        order.append(ready[0])
        del waiting[ready[0]]
        for sources in waiting.values():
            sources.discard(ready[0])
    return tuple(order)


def _cycle_message(waiting: dict[str, set[str]], links: list[Link]) -> str:
    path = [next(iter(waiting))]
    while path[-1] not in path[:-1]:
        path.append(min(waiting[path[-1]]))
    cycle = path[path.index(path[-1]) :][::-1]
    pairs = set(zip(cycle, cycle[1:], strict=False))
    options = [
        f'Connection("{link.source}", "{link.target}", lagged=True, initial=...)'
        for link in links
        if not link.lagged and (link.source.component, link.target.component) in pairs
    ]
    return (
        f"the cycle {' -> '.join(cycle)} has no lagged connection, so no component can step first; mark one as "
        f"the value of the previous step: {' or '.join(options)}"
    )
