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

_COLOURS = {"autograd": "#d9ead3", "pullback": "#d9ead3", "none": "#f4cccc"}
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
        lines = [f"Plan (timestep {self.timestep})", "blocks, in order:"]
        for number, block in enumerate(self.blocks, 1):
            how = "steps together" if block.loop else "whole windows"
            members = " -> ".join(f"{name} ({self.policies[name]})" for name in block.members)
            lines.append(f"  {number}. {'loop    ' if block.loop else 'sequence'}  {members}  [{how}]")
        lines.append("forcing:")
        lines += [f"  {spec.name}: {spec.describe()}" for spec in self.forcing] or ["  none"]
        lines.append("connections:")
        lines += [f"  {link.describe()}" for link in self.links] or ["  none"]
        return "\n".join(lines)

    def mermaid(self) -> str:
        """Return the plan as a Mermaid flowchart, for docs; lagged links are dotted."""
        lines = ["flowchart LR"]
        for number, block in enumerate(self.blocks, 1):
            if block.loop:
                lines.append(f'  subgraph loop{number}["loop: steps together"]')
            lines += [f'  c_{name}["{name}<br/>{self.policies[name]}"]' for name in block.members]
            if block.loop:
                lines.append("  end")
        if self.forcing:
            lines.append(f"  c_{FORCING}([forcing])")
        for (source, target, lagged), fields in self._edges().items():
            label = "<br/>".join(fields)
            arrow = f'-. "{label}" .->' if lagged else f'-- "{label}" -->'
            lines.append(f"  c_{source} {arrow} c_{target}")
        return "\n".join(lines)

    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw the plan with matplotlib: green exact, yellow estimated, red blocked gradients."""
        import matplotlib.pyplot as plt

        if ax is None:
            height = 1.5 + 1.1 * max(3, len(self.policies), len(self.forcing) * 0.45)
            ax = plt.subplots(figsize=(11, height), layout="constrained")[1]
        places = self._places()
        for (source, target, lagged), fields in self._edges().items():
            _arrow(ax, places[source], places[target], fields, lagged)
        for name, (x, y) in places.items():
            policy = self.policies.get(name, "")
            colour = _COLOURS.get(policy, _ESTIMATED) if name != FORCING else "#cfe2f3"
            text = f"{name}\n({policy})" if policy else name
            box = {"boxstyle": "round,pad=0.6", "facecolor": colour, "edgecolor": "#444444"}
            ax.text(x, y, text, ha="center", va="center", bbox=box, zorder=3)
        ax.set_xlim(-0.6, max(x for x, _ in places.values()) + 0.6)
        ax.set_ylim(min(y for _, y in places.values()) - 0.7, 0.8)
        ax.set_title(
            "solid: same step; dashed: value of the previous step (lagged)\n"
            "gradients: green exact, yellow estimated, red blocked",
            fontsize=9,
        )
        ax.set_axis_off()
        return ax

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{number}</td><td>{'loop' if block.loop else 'sequence'}</td>"
            f"<td>{escape(' → '.join(block.members))}</td>"
            f"<td>{escape(', '.join(self.policies[name] for name in block.members))}</td></tr>"
            for number, block in enumerate(self.blocks, 1)
        )
        links = "".join(f"<li><code>{escape(link.describe())}</code></li>" for link in self.links)
        return (
            f"<b>Plan</b> (timestep {escape(self.timestep)})<table><tr><th>#</th><th>block</th>"
            f"<th>components</th><th>gradients</th></tr>{rows}</table>"
            f"<details><summary>{len(self.links)} connections</summary><ul>{links}</ul></details>"
        )

    def _edges(self) -> dict[tuple[str, str, bool], list[str]]:
        edges: dict[tuple[str, str, bool], list[str]] = {}
        for link in self.links:
            key = (link.source.component, link.target.component, link.lagged)
            names = edges.setdefault(key, [])
            if link.source.field not in names:
                names.append(link.source.field)
        return edges

    def _places(self) -> dict[str, tuple[float, float]]:
        """Return x and y of each box: forcing left, then a column per place in the running order."""
        places: dict[str, tuple[float, float]] = {FORCING: (0.0, 0.0)} if self.forcing else {}
        order = [name for block in self.blocks for name in block.members]
        for number, name in enumerate(order, 1):
            places[name] = (2.2 * number, 0.0 if number % 2 else -2.0)
        return places


def _arrow(
    ax: Any,
    start: tuple[float, float],
    end: tuple[float, float],
    fields: list[str],
    lagged: bool,
) -> None:
    style = {
        "arrowstyle": "-|>",
        "shrinkA": 34,
        "shrinkB": 34,
        "color": "#b45f06" if lagged else "#444444",
        "linestyle": "--" if lagged else "-",
        "connectionstyle": "arc3,rad=0.25",
    }
    ax.annotate("", xy=end, xytext=start, arrowprops=style)
    dx, dy = end[0] - start[0], end[1] - start[1]
    x = (start[0] + end[0]) / 2 + 0.125 * dy  # where the arc bulges
    y = (start[1] + end[1]) / 2 - 0.125 * dx
    ax.text(
        x,
        y,
        "\n".join(fields),
        fontsize=8,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        zorder=2,
    )
