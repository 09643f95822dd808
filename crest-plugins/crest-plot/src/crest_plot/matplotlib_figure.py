"""Pages as figures of matplotlib: no window, no global state, PNG."""

from __future__ import annotations

from io import BytesIO
from math import lcm
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from crest_plot.pictures import GAP, NO_DATA, Bars, Line, Map, Matrix, Page, Panel, degrees, graticule, isolated
from crest_plot.seasonal import MONTH_STARTS, MONTHS

_WIDTH, _DOTS = 10.0, 150  # inches, per inch
_GREY = "#555555"


def figure(page: Page) -> Figure:
    """Return a page as a figure; all panels over time share their axis."""
    heights = [max(_height(one, len(row)) for one in row) for row in page.rows]
    drawn = Figure(figsize=(_WIDTH, sum(heights) + 0.9), layout="constrained")
    drawn.suptitle(_plain(fill(page.title, 85)), x=0.01, ha="left", fontsize=13, fontweight="bold")
    columns = lcm(*(len(row) for row in page.rows))
    grid = drawn.add_gridspec(len(page.rows), columns, height_ratios=heights)
    timed: list[Axes] = []
    for number, row in enumerate(page.rows):
        wide = columns // len(row)
        for place, one in enumerate(row):
            axes = drawn.add_subplot(grid[number, place * wide : (place + 1) * wide])
            if isinstance(one, Panel):
                _panel(axes, one, narrow=len(row) > 1)
                timed += [] if one.seasonal else [axes]
            elif isinstance(one, Map):
                _map(axes, one)
            else:
                _matrix(axes, one)
    _share_time(timed)
    text = "; ".join(part for part in (page.caption, *page.notes) if part)
    if text:
        drawn.supxlabel(_plain(fill(text, 160)), x=0.01, ha="left", fontsize=8, color=_GREY)
    return drawn


def _height(one: Panel | Map | Matrix, columns: int) -> float:
    """Return inches; a map of degrees is as high as its width asks for."""
    if not isinstance(one, Map) or not one.geographic:
        return one.height
    (west, east), (south, north) = ((float(np.nanmin(ends)), float(np.nanmax(ends))) for ends in (one.x, one.y))
    ratio = max(north - south, 1e-6) / max((east - west) * np.cos(np.radians((south + north) / 2.0)), 1e-6)
    return float(np.clip((_WIDTH / columns - 1.8) * ratio + 0.4, 2.4, 7.0))


def _share_time(timed: list[Axes]) -> None:
    """Give panels one time axis, told below the last."""
    for axes in timed[1:]:
        axes.sharex(timed[0])
    for axes in timed[:-1]:
        axes.set_xlabel("")
        axes.tick_params(labelbottom=False)


def as_png(drawn: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="png", dpi=_DOTS, metadata={"Software": "crest-plot"})
    return buffer.getvalue()


def _panel(axes: Axes, panel: Panel, *, narrow: bool) -> None:
    for start, end in panel.gaps:
        left, right = date2num(start), date2num(end)
        axes.axvspan(left, right, color=GAP, linewidth=0, zorder=0)
    for band in panel.bands:
        axes.fill_between(
            band.x, band.low, band.high, color=band.colour, alpha=band.opacity, linewidth=0, label=_plain(band.label)
        )
    for bars in panel.bars:
        _bars(axes, bars)
    for line in panel.layered:
        _line(axes, line)
    axes.set(xlabel=_plain(panel.x_label), ylabel=_plain(panel.y_label))
    if panel.title:
        axes.set_title(_plain(panel.title), loc="left", fontsize=10)
    if panel.log:
        axes.set_yscale("log", nonpositive="mask")
    if panel.inverted:
        axes.set_ylim(max(float(np.nanmax([np.nanmax(bars.y) for bars in panel.bars])), 1e-9) * 1.05, 0.0)
    _calm(axes)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if panel.seasonal:
        axes.set_xlim(1, 366)
        axes.set_xticks([start + 15 for start in MONTH_STARTS[:12]], [m[:1] for m in MONTHS] if narrow else MONTHS)
        axes.tick_params(axis="x", length=0)
    else:
        axes.margins(x=0.01)
        locator = AutoDateLocator(minticks=4, maxticks=10)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    named = len(panel.lines) + len(panel.bands)
    if named > 1 and panel.seasonal:
        axes.legend(frameon=False, fontsize=9)
    elif named > 1:
        axes.legend(frameon=False, fontsize=9, ncols=min(5, named), loc="lower right", bbox_to_anchor=(1.0, 1.0),
                    borderaxespad=0.1, handlelength=1.6)  # fmt: skip
    if panel.gaps and not panel.bars:
        axes.annotate("grey: no data", (0.995, 0.02), xycoords="axes fraction", ha="right", fontsize=8, color=_GREY)


def _line(axes: Axes, line: Line) -> None:
    """Draw a line, and points where a value stands alone."""
    if line.points:
        axes.plot(line.x, line.y, "o", color=line.colour, markersize=3, markeredgewidth=0, label=_plain(line.label))
        return
    axes.plot(line.x, line.y, color=line.colour, linewidth=1.3, label=_plain(line.label), solid_joinstyle="round")
    alone = isolated(line.y)
    if alone.any():
        axes.plot(line.x[alone], line.y[alone], "o", color=line.colour, markersize=2.5, markeredgewidth=0)


def _bars(axes: Axes, bars: Bars) -> None:
    """Fill from zero: thousands of bars as one shape, since each alone would be slow."""
    x = np.stack([bars.left, bars.right], axis=1).reshape(-1)
    y = np.repeat(np.nan_to_num(bars.y), 2)
    axes.fill_between(x, y, 0.0, color=bars.colour, linewidth=0.3, label=_plain(bars.label))


def _map(axes: Axes, one: Map) -> None:
    colours = colormaps["viridis"].with_extremes(bad=NO_DATA)
    low, high = one.limits
    if low == high:
        high = low + (abs(low) or 1.0) * 1e-3
    norm = LogNorm(low, high) if one.log else Normalize(low, high)
    if one.grid:
        drawn: Any = axes.pcolormesh(one.x, one.y, np.ma.masked_invalid(one.values), cmap=colours, norm=norm)
    else:
        there = np.isfinite(one.values)
        size = float(np.clip(9000.0 / max(len(one.values), 1), 6.0, 60.0))
        outline = {"linewidth": 0.2, "edgecolor": "#333333"} if len(one.values) < 200 else {"linewidth": 0.0}
        axes.scatter(one.x[~there], one.y[~there], s=size, facecolor="none", edgecolor="#aaaaaa", linewidth=0.7)
        drawn = axes.scatter(
            one.x[there], one.y[there], c=one.values[there], s=size, cmap=colours, norm=norm, **outline
        )
        axes.margins(0.06)
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0.04, 0.025, 0.92)))  # stays beside the map
    bar.set_label(_plain(one.colour_label))
    bar.outline.set_visible(False)
    axes.set(xlabel=_plain(one.x_label), ylabel=_plain(one.y_label))
    if one.title:
        axes.set_title(_plain(one.title), loc="left", fontsize=10)
    _calm(axes)
    if one.geographic:
        _graticule(axes)


def _graticule(axes: Axes) -> None:
    """Draw meridians and parallels, and stretch latitudes so that distances look right."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    axes.set_xticks(graticule(west, east), [degrees(value, longitude=True) for value in graticule(west, east)])
    axes.set_yticks(graticule(south, north), [degrees(value, longitude=False) for value in graticule(south, north)])
    axes.set(xlim=(west, east), ylim=(south, north), xlabel="", ylabel="")
    axes.set_aspect(1.0 / max(np.cos(np.radians((south + north) / 2.0)), 0.1), adjustable="box", anchor="W")
    axes.grid(color="#777777", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(False)


def _matrix(axes: Axes, one: Matrix) -> None:
    colours = colormaps["cividis"].with_extremes(bad=NO_DATA)
    rows = np.arange(len(one.rows) + 1)
    drawn = axes.pcolormesh(one.edges, rows, np.ma.masked_invalid(one.values), cmap=colours, vmin=0.0, vmax=1.0)
    for row in rows[1:-1]:
        axes.axhline(row, color="white", linewidth=1.2)
    axes.set_yticks(rows[:-1] + 0.5, [_plain(row) for row in one.rows])
    axes.invert_yaxis()
    axes.set_xlabel(_plain(one.x_label))
    locator = AutoDateLocator(minticks=4, maxticks=10)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.tick_params(axis="y", length=0)
    _calm(axes)
    bar = axes.figure.colorbar(
        drawn, ax=axes, orientation="horizontal", location="top", shrink=0.4, aspect=40, anchor=(1.0, 0.0)
    )
    bar.set_label(one.colour_label)
    bar.outline.set_visible(False)
    bar.set_ticks([0.0, 0.25, 0.5, 0.75, 1.0], labels=["0", "25 %", "50 %", "75 %", "100 %"])


def _calm(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain(text: str) -> str:
    """Return a text in which a dollar is no formula: names come from files."""
    return text.replace("$", r"\$")
