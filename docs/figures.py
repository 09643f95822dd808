"""Draws the figures of the documentation: python docs/figures.py [FOLDER].

Each function `draw_NAME` makes docs/figures/NAME.svg. They are drawn here, not by Mermaid in the browser: the
pages need nothing from the network.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("svg")

import crest_run  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
import torch  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from crest_core import Connection, Graph  # noqa: E402
from crest_core.testing import LinearReservoir, Stress, TorchBucket  # noqa: E402

FOLDER = Path(__file__).parent / "figures"
GREEN, BLUE, YELLOW, GREY, ORANGE = "#d9ead3", "#cfe2f3", "#fff2cc", "#444444", "#b45f06"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "crest", "font.family": "sans-serif", "font.size": 11}


def draw_plan() -> Figure:
    """Draw the plan of the graph on the page about graphs."""
    lag = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)
    graph = Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}, [lag])
    figure = crest_run.draw_plan(graph.plan()).figure
    assert isinstance(figure, Figure)
    return figure


def draw_mixed() -> Figure:
    """Draw the plan of the example with five technologies."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples" / "mixed"))
    from chain import build_graph

    with TemporaryDirectory() as folder:
        figure = crest_run.draw_plan(build_graph(Path(folder), torch.Generator().manual_seed(1)).plan()).figure
    assert isinstance(figure, Figure)
    return figure


def draw_planner() -> Figure:
    """Draw a loop that steps and a component that reads the whole window."""
    figure, ax = plt.subplots(figsize=(9, 3.1), layout="constrained")
    days = 7
    for day in range(days):
        for row, name in ((2, "plant"), (1, "soil")):
            _box(ax, day + 0.1, row + 0.12, 0.8, 0.62, name, GREEN)
        _arrow(ax, (day + 0.5, 2.12), (day + 0.5, 1.74))
        if day + 1 < days:
            _arrow(ax, (day + 0.82, 1.6), (day + 1.18, 2.2), ORANGE)
    _box(ax, 0.1, 0.12, days - 0.2, 0.62, "river: sequence, all days in one call", BLUE)
    for day in range(days):
        _arrow(ax, (day + 0.5, 1.12), (day + 0.5, 0.74))
    ax.annotate("", (days + 0.05, -0.15), (0, -0.15), arrowprops={"arrowstyle": "->", "color": GREY})
    ax.text(days / 2, -0.2, "days", ha="center", va="top", color=GREY)
    ax.text(-0.15, 1.93, "loop:\nsteps\ntogether", ha="right", va="center", color=GREY)
    ax.text(-0.15, 0.43, "sequence:\nwhole window", ha="right", va="center", color=GREY)
    ax.text(days + 0.1, 1.93, "lagged: soil\nof yesterday", va="center", color=ORANGE)
    return _framed(figure, ax, (-1.5, days + 1.4), (-0.6, 2.95))


def draw_labels() -> Figure:
    """Draw what the label of a step means for means, sums and point values."""
    figure, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
    names = ("30 Dec", "31 Dec", "1 Jan")
    ax.annotate("", (3.25, 0), (-0.15, 0), arrowprops={"arrowstyle": "->", "color": GREY})
    for day, name in enumerate(names):
        ax.plot([day, day], [-0.08, 0.08], color=GREY)
        ax.text(day, -0.15, f"{name}\n00:00", ha="center", va="top", color=GREY)
        _box(ax, day + 0.02, 0.2, 0.96, 0.42, "", BLUE if day == 0 else "#f3f3f3")
    ax.plot([3, 3], [-0.08, 0.08], color=GREY)
    ax.text(3, -0.15, "2 Jan\n00:00", ha="center", va="top", color=GREY)
    ax.text(0.5, 0.41, "mean, sum, min, max:\nwhole interval", ha="center", va="center", fontsize=10)
    ax.plot([1], [0.41], "o", color=ORANGE, markersize=9, zorder=5)
    ax.annotate(
        "point value (state):\nat the end, time_end", (1.02, 0.47), (1.35, 1.02), color=ORANGE, va="center", size=10,
        arrowprops={"arrowstyle": "-|>", "color": ORANGE},
    )  # fmt: skip
    ax.annotate(
        "time = label\nof all of them", (0, 0.08), (-0.1, 1.02), ha="center", va="center", size=10,
        arrowprops={"arrowstyle": "-|>", "color": GREY},
    )  # fmt: skip
    return _framed(figure, ax, (-0.6, 3.4), (-0.65, 1.3))


def draw_layers() -> Figure:
    """Draw who brings what: plugins side by side, each on the core alone."""
    figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
    frame = {"facecolor": "none", "edgecolor": GREY, "linestyle": "--"}
    ax.add_patch(plt.Rectangle((0, 1.35), 12, 1.85, **frame))
    rows = (
        (2.35, ("terrahydro-soil-moisture", "terrahydro-evapotranspiration", "your model"), GREEN),
        (1.5, ("crest-torch", "crest-fortran", "crest-data", "crest-training", "crest-run"), BLUE),
    )
    for height, names, colour in rows:
        width = 12 / len(names)
        for column, name in enumerate(names):
            own = YELLOW if name.startswith("your") else colour
            _box(ax, column * width + 0.12, height, width - 0.24, 0.7, name, own)
    core = "crest-core\nfields · components · graph and planner · one gradient tape · runs"
    _box(ax, 0, 0, 12, 0.85, core, "#eeeeee")
    _arrow(ax, (6, 1.35), (6, 0.85))
    labels = (
        (2.27, "plugins: packages of\nmany authors, found by\nentry points; none\nimports another"),
        (0.43, "the core knows\nno model, no data"),
    )
    for height, label in labels:
        ax.text(12.2, height, label, va="center", color=GREY, fontsize=10)
    return _framed(figure, ax, (-0.05, 15), (-0.05, 3.25))


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, colour: str) -> None:
    ax.add_patch(plt.Rectangle((x, y), width, height, facecolor=colour, edgecolor=GREY, linewidth=0.8))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = GREY) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0})


def _framed(figure: Figure, ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> Figure:
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    ax.set_axis_off()
    return figure


def main(arguments: list[str]) -> int:
    """Draw all figures into the folder given, by default beside the pages."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for draw in (draw_plan, draw_mixed, draw_planner, draw_labels, draw_layers):
            figure = draw()
            path = folder / f"{draw.__name__.removeprefix('draw_')}.svg"
            figure.savefig(path, metadata={"Date": None})
            plt.close(figure)
            print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
