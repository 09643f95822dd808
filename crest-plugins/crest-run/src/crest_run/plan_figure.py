"""Draw a plan: components in running order, and what travels between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crest_core import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"autograd": "#d9ead3", "pullback": "#d9ead3", "none": "#f4cccc", "opaque": "#f4cccc", "": "#cfe2f3"}
_LINES = {False: {"color": "#444444"}, True: {"color": "#b45f06", "linestyle": "--"}}  # by lag
_CENTRED = {"ha": "center", "va": "center"}
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_FORCING = "forcing"  # the name of what comes from outside, in plans
_LEGEND = "dashed: value of the previous step\ngradients: green exact, yellow estimated, red blocked"


def draw_plan(plan: Plan, ax: Axes | None = None) -> Axes:
    """Draw the plan with matplotlib: components in running order, one data unit an inch.

    Arcs above carry values of this step, dashed ones below those of the step before.
    """
    import matplotlib.pyplot as plt

    names = [_FORCING] * bool(plan.forcing) + [name for block in plan.blocks for name in block.members]
    edges = plan.edges()
    gap = 1.1 + 0.1 * max(len(text) for text in (*names, *plan.policies.values(), *sum(edges.values(), [])))
    figure, ax = (None, ax) if ax else plt.subplots(layout="constrained")
    patches = {}
    for number, name in enumerate(names):
        policy = plan.policies.get(name, "")
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
