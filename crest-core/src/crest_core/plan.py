"""Plan: what runs as a whole sequence and what steps in a feedback loop, to be read before a graph runs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from crest_core.errors import CouplingError
from crest_core.matching import FORCING, Link
from crest_fields.fields import FieldSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Node = TypeVar("_Node", bound=Hashable)
_COLOURS = {"autograd": "#d9ead3", "pullback": "#d9ead3", "none": "#f4cccc", "opaque": "#f4cccc", "": "#cfe2f3"}
_LINES = {False: {"color": "#444444"}, True: {"color": "#b45f06", "linestyle": "--"}}  # by lag
_CENTRED = {"ha": "center", "va": "center"}
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_LEGEND = "dashed: value of the previous step\ngradients: green exact, yellow estimated, red blocked"


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
        for (source, target, lagged), fields in self._edges().items():
            label = "<br/>".join(fields)
            arrow = f'-. "{label}" .->' if lagged else f'-- "{label}" -->'
            lines.append(f"  c_{source} {arrow} c_{target}")
        return "\n".join(lines)

    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw the plan with matplotlib: components in running order, one data unit an inch.

        Arcs above carry values of this step, dashed ones below those of the step before.
        """
        import matplotlib.pyplot as plt

        names = [FORCING] * bool(self.forcing) + [name for block in self.blocks for name in block.members]
        edges = self._edges()
        gap = 1.1 + 0.1 * max(len(text) for text in (*names, *self.policies.values(), *sum(edges.values(), [])))
        figure, ax = (None, ax) if ax else plt.subplots(layout="constrained")
        patches = {}
        for number, name in enumerate(names):
            policy = self.policies.get(name, "")
            box = {"boxstyle": "round,pad=0.6", "facecolor": _COLOURS.get(policy, "#fff2cc"), "edgecolor": "#444444"}
            label = f"{name}\n({policy})" if policy else name
            patches[name] = ax.text(gap * number, 0, label, _CENTRED, fontsize=13, bbox=box).get_bbox_patch()
        reach = [0.6, 0.6]  # of the drawing, up and down
        for (source, target, lagged), fields in edges.items():
            first, last = names.index(source), names.index(target)
            steps = abs(last - first)
            rise = 0.3 + 0.2 * max(len(texts) for (_, _, side), texts in edges.items() if side == lagged)
            height = (0.3 + rise * max(steps, 0.7)) * (-1 if lagged else 1)
            reach[lagged] = max(reach[lagged], abs(height) + rise / 2)
            outward = min(0.4 * (steps - 1), 0.4) * (-1 if last < first else 1)  # long ones end further out
            start, end, base = gap * first - outward, gap * last + outward, 0.0 if steps else -0.36
            arrow = {"arrowstyle": "-|>", "mutation_scale": 18, "linewidth": 1.3, **_LINES[lagged]}
            arrow |= {"connectionstyle": f"arc3,rad={2 * (height - base) / (start - end)}"}
            arrow |= {"patchA": patches[source], "patchB": patches[target]} if steps else {}
            ax.annotate("", (end, base), (start, base), arrowprops=arrow)
            ax.text((start + end) / 2, height, "\n".join(fields), _CENTRED, fontsize=11, bbox=_PAPER, zorder=4)
        middle, width = gap * (len(names) - 1) / 2, max(gap * len(names), 5.0)
        ax.set(xlim=(middle - width / 2, middle + width / 2), ylim=(-reach[1], reach[0]), aspect="equal")
        ax.set_title(_LEGEND, fontsize=11)
        ax.set_axis_off()
        if figure:
            figure.set_size_inches(width, sum(reach) + 0.6)
        return ax

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

    def _edges(self) -> dict[tuple[str, str, bool], list[str]]:
        """Return the fields that travel between each two components, without repetition."""
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
