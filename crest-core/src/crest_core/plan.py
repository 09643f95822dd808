"""Plan: what runs as a whole sequence and what steps in a feedback loop, to be read before a graph runs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from html import escape
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from crest_core.errors import CouplingError
from crest_core.matching import FORCING, Link
from crest_fields.fields import FieldSpec

_Node = TypeVar("_Node", bound=Hashable)


@dataclass(frozen=True)
class Block:
    """Components that run together: one as a whole sequence, or a feedback loop step by step."""

    members: tuple[str, ...]
    loop: bool
    inner: tuple[Link, ...]  # between members; none without a loop
    outer: tuple[tuple[str, str, str, str, Link | None], ...]
    """(component, input, source component, field, link) from forcing and other blocks; no link: values as they are."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Blocks in running order, links with their transforms, forcing and gradient policies."""

    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    forcing: tuple[FieldSpec, ...]
    policies: Mapping[str, str]
    timestep: str

    def __repr__(self) -> str:
        blocks = [f"  {number}. {text}" for number, text in enumerate(self._block_texts(), 1)]
        forcing = [f"  {spec.name}: {spec.describe()}" for spec in self.forcing] or ["  none"]
        links = [f"  {link.describe()}" for link in self.links] or ["  none"]
        head = f"Plan (timestep {self.timestep})"
        return "\n".join([head, "blocks, in order:", *blocks, "forcing:", *forcing, "connections:", *links])

    def mermaid(self) -> str:
        """Return the plan as a Mermaid flowchart, for docs; lagged links are dotted."""
        lines = ["flowchart LR"] + [f"  c_{FORCING}([forcing])"] * bool(self.forcing)
        for number, block in enumerate(self.blocks, 1):
            boxes = [f'  c_{name}["{name}<br/>{self.policies[name]}"]' for name in block.members]
            loop = [f'  subgraph loop{number}["loop: step by step"]', *boxes, "  end"]
            lines += loop if block.loop else boxes
        for (source, target, lagged), fields in self.edges().items():
            label = "<br/>".join(fields)
            arrow = f'-. "{label}" .->' if lagged else f'-- "{label}" -->'
            lines.append(f"  c_{source} {arrow} c_{target}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        blocks = "".join(f"<li>{escape(text).replace('-&gt;', '→')}</li>" for text in self._block_texts())
        links = "".join(f"<li><code>{escape(link.describe())}</code></li>" for link in self.links)
        return (
            f"<b>Plan</b> (timestep {escape(self.timestep)})<ol>{blocks}</ol>"
            f"<details><summary>{len(self.links)} connections</summary><ul>{links}</ul></details>"
        )

    def _block_texts(self) -> list[str]:
        return [
            f"{'loop, step by step' if block.loop else 'whole sequence'}: "
            + " -> ".join(f"{name} ({self.policies[name]})" for name in block.members)
            for block in self.blocks
        ]

    def edges(self) -> dict[tuple[str, str, bool], list[str]]:
        """Return the fields that travel from a component to another, lagged or not, without repetition."""
        edges: dict[tuple[str, str, bool], list[str]] = {}
        for link in self.links:
            names = edges.setdefault((link.source.component, link.target.component, link.lagged), [])
            names += [link.source.field] * (link.source.field not in names)
        return edges


def plan_blocks(names: Sequence[str], links: Sequence[Link]) -> tuple[Block, ...]:
    """Return the blocks in running order: strongly connected components of the component graph.

    Inside a loop the components follow their unlagged links; where several orders are possible, the order of
    `names` decides. Raises CouplingError on a cycle without a lagged connection.
    """
    pairs = [(link.source.component, link.target.component) for link in links if link.source.component != FORCING]
    ahead = reachable(names, pairs)
    both = ahead & ahead.T
    groups = {
        name: tuple(n for n, one in zip(names, row, strict=True) if one) for name, row in zip(names, both, strict=True)
    }
    order = TopologicalSorter(dict.fromkeys(groups.values(), ()))
    for start, end in pairs:
        if groups[start] != groups[end]:
            order.add(groups[end], groups[start])
    blocks = []
    for members in order.static_order():
        mine = [link for link in links if link.target.component in members]
        inner = tuple(link for link in mine if link.source.component in members)
        outer = [link for link in mine if link.source.component not in members]
        routes = tuple((*link.target, *link.source, None if link.plain else link) for link in outer)
        blocks.append(Block(_loop_order(members, inner), bool(inner), inner, routes))
    return tuple(blocks)


def _loop_order(members: Sequence[str], links: Sequence[Link]) -> tuple[str, ...]:
    order = TopologicalSorter(dict.fromkeys(members, ()))
    unlagged = [link for link in links if not link.lagged]
    for link in unlagged:
        order.add(link.target.component, link.source.component)
    try:
        return tuple(order.static_order())
    except CycleError as error:
        cycle = error.args[1]
        guilty = [link for link in unlagged if (link.source.component, link.target.component) in {*pairwise(cycle)}]
        marks = (f'Connection("{link.source}", "{link.target}", lagged=True, initial=...)' for link in guilty)
        raise CouplingError(
            f"the cycle {' -> '.join(cycle)} has no lagged connection, so no component can step first; mark one as the "
            f"value of the previous step: {' or '.join(marks)}"
        ) from None


def reachable(nodes: Sequence[_Node], edges: Iterable[tuple[_Node, _Node]]) -> NDArray[np.bool_]:
    """Return whether each node is each other or comes before it, directly or not, as (node, node)."""
    place = {node: number for number, node in enumerate(nodes)}
    ends = np.array([(place[first], place[second]) for first, second in edges], dtype=int).reshape(-1, 2).T
    matrix = csr_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(place), len(place)))
    return np.isfinite(shortest_path(matrix, unweighted=True))
