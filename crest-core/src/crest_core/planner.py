"""Planner: what runs as a whole sequence, and what must step inside a feedback loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

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


def plan_blocks(names: Sequence[str], links: Sequence[Link]) -> tuple[Block, ...]:
    """Return the blocks in running order: strongly connected components of the component graph.

    Inside a loop the components follow their unlagged links; where several orders are possible, the order of
    `names` decides. Raises CouplingError on a cycle without a lagged connection.
    """
    inner = [link for link in links if link.source.component != FORCING]
    starts = [names.index(link.source.component) for link in inner]
    ends = [names.index(link.target.component) for link in inner]
    matrix = csr_array((np.ones(len(inner)), (starts, ends)), shape=(len(names), len(names)))
    labels = connected_components(matrix, directed=True, connection="strong")[1]
    order: TopologicalSorter[int] = TopologicalSorter({int(label): () for label in labels})
    for start, end in zip(starts, ends, strict=True):
        if labels[start] != labels[end]:
            order.add(int(labels[end]), int(labels[start]))
    blocks = []
    for group in order.static_order():
        members = [name for name, label in zip(names, labels, strict=True) if label == group]
        own = [link for link in inner if {link.source.component, link.target.component} <= set(members)]
        blocks.append(Block(_loop_order(members, own), loop=bool(own)))
    return tuple(blocks)


def _loop_order(members: Sequence[str], links: Sequence[Link]) -> tuple[str, ...]:
    order: TopologicalSorter[str] = TopologicalSorter({name: () for name in members})
    unlagged = [link for link in links if not link.lagged]
    for link in unlagged:
        order.add(link.target.component, link.source.component)
    try:
        return tuple(order.static_order())
    except CycleError as error:
        cycle = error.args[1]
        steps = set(zip(cycle[:-1], cycle[1:], strict=True))
        guilty = [link for link in unlagged if (link.source.component, link.target.component) in steps]
        marks = (f'Connection("{link.source}", "{link.target}", lagged=True, initial=...)' for link in guilty)
        raise CouplingError(
            f"the cycle {' -> '.join(cycle)} has no lagged connection, so no component can step first; mark one as the "
            f"value of the previous step: {' or '.join(marks)}"
        ) from None
