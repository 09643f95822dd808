"""Plan: what a graph will do, to be read before it runs: as text, drawing, Mermaid or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from crest_core.fields import FieldSpec
from crest_core.matching import FORCING, Link
from crest_core.planner import Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"autograd": "#d9ead3", "pullback": "#d9ead3", "none": "#f4cccc", "": "#cfe2f3"}
_ESTIMATED = "#fff2cc"


@dataclass(frozen=True)
class Plan:
    """Blocks in running order, links with their transforms, forcing and gradient policies."""

    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    forcing: tuple[FieldSpec, ...]
    policies: Mapping[str, str]
    timestep: str

    def __str__(self) -> str:
        blocks = [
            f"  {number}. {'loop, step by step' if block.loop else 'whole sequence'}: "
            + " -> ".join(f"{name} ({self.policies[name]})" for name in block.members)
            for number, block in enumerate(self.blocks, 1)
        ]
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
        """Draw the plan with matplotlib; colours say how gradients are found, dashes what is lagged."""
        import matplotlib.pyplot as plt

        order = [FORCING] * bool(self.forcing) + [name for block in self.blocks for name in block.members]
        places = {name: (3.0 * number, -2.2 * (number % 2)) for number, name in enumerate(order)}
        if ax is None:
            ax = plt.subplots(figsize=(3.0 * len(order) + 1.5, 6.0), layout="constrained")[1]
        for (source, target, lagged), fields in self._edges().items():
            _arrow(ax, places[source], places[target], fields, lagged)
        for name, (x, y) in places.items():
            policy = self.policies.get(name, "")
            box = {"boxstyle": "round,pad=0.6", "facecolor": _COLOURS.get(policy, _ESTIMATED), "edgecolor": "#444444"}
            ax.text(x, y, f"{name}\n({policy})" if policy else name, ha="center", va="center", bbox=box, zorder=3)
        ax.set(xlim=(-1.2, 3.0 * len(order) - 1.8), ylim=(-3.4, 1.2))
        ax.set_title("dashed: value of the previous step; gradients: green exact, yellow estimated, red blocked")
        ax.set_axis_off()
        return ax

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{number}</td><td>{'loop' if block.loop else 'sequence'}</td>"
            f"<td>{escape(' → '.join(f'{name} ({self.policies[name]})' for name in block.members))}</td></tr>"
            for number, block in enumerate(self.blocks, 1)
        )
        links = "".join(f"<li><code>{escape(link.describe())}</code></li>" for link in self.links)
        return (
            f"<b>Plan</b> (timestep {escape(self.timestep)})<table><tr><th>#</th><th>block</th><th>components</th></tr>"
            f"{rows}</table><details><summary>{len(self.links)} connections</summary><ul>{links}</ul></details>"
        )

    def _edges(self) -> dict[tuple[str, str, bool], list[str]]:
        """Return the fields that travel between each two components, without repetition."""
        edges: dict[tuple[str, str, bool], list[str]] = {}
        for link in self.links:
            names = edges.setdefault((link.source.component, link.target.component, link.lagged), [])
            names += [link.source.field] * (link.source.field not in names)
        return edges


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], fields: list[str], lagged: bool) -> None:
    style: dict[str, Any] = {"arrowstyle": "-|>", "shrinkA": 40, "shrinkB": 40, "connectionstyle": "arc3,rad=0.25"}
    style |= {"color": "#b45f06", "linestyle": "--"} if lagged else {"color": "#444444"}
    ax.annotate("", xy=end, xytext=start, arrowprops=style)
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = (start[0] + end[0]) / 2 + 0.125 * dy, (start[1] + end[1]) / 2 - 0.125 * dx  # where the arc bulges
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1}
    ax.text(x, y, "\n".join(fields), fontsize=8, ha="center", va="center", bbox=box, zorder=2)
