"""Plan: what a graph will do, to be read before it runs: as text, drawing, Mermaid or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from crest_core.fields import FieldSpec
from crest_core.matching import FORCING, Link
from crest_core.planner import Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_COLOURS = {"autograd": "#d9ead3", "pullback": "#d9ead3", "none": "#f4cccc", "": "#cfe2f3"}
_ESTIMATED = "#fff2cc"
_CENTRED = {"ha": "center", "va": "center"}
_LEGEND = "dashed: value of the previous step\ngradients: green exact, yellow estimated, red blocked"


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
        nodes = {}
        for number, name in enumerate(names):
            policy = self.policies.get(name, "")
            box = {"boxstyle": "round,pad=0.6", "facecolor": _COLOURS.get(policy, _ESTIMATED), "edgecolor": "#444444"}
            label = f"{name}\n({policy})" if policy else name
            nodes[name] = ax.text(gap * number, 0, label, _CENTRED, fontsize=13, bbox=box)
        reach = [0.6, 0.6]  # of the drawing, up and down
        for (source, target, lagged), fields in edges.items():
            steps = names.index(target) - names.index(source)
            rise = 0.3 + 0.2 * max(len(texts) for (_, _, side), texts in edges.items() if side == lagged)
            height = (0.3 + rise * max(abs(steps), 0.7)) * (-1 if lagged else 1)
            _arc(ax, nodes[source], nodes[target], steps, height, "\n".join(fields))
            reach[lagged] = max(reach[lagged], abs(height) + rise / 2)
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


def _arc(ax: Axes, source: Text, target: Text, steps: int, height: float, label: str) -> None:
    """Draw an arrow; long ones begin and end further out on the boxes, and one to the same box leaves it below."""
    outward = min(0.4 * (abs(steps) - 1), 0.4) * (-1 if steps < 0 else 1)
    start, end = source.get_position()[0] - outward, target.get_position()[0] + outward
    base = 0.0 if steps else -0.36
    bend = f"arc3,rad={2 * (height - base) / (start - end)}"
    style = {"arrowstyle": "-|>", "mutation_scale": 18, "linewidth": 1.3, "connectionstyle": bend}
    style |= {"color": "#444444"} if height > 0 else {"color": "#b45f06", "linestyle": "--"}
    style |= {"patchA": source.get_bbox_patch(), "patchB": target.get_bbox_patch()} if steps else {}
    ax.annotate("", (end, base), (start, base), arrowprops=style)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.text((start + end) / 2, height, label, _CENTRED, fontsize=11, bbox=paper, zorder=4)
