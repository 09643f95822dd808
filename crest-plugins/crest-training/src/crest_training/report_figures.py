"""Figures of a report: distribution over places, maps, hydrographs, ranks. PNG without window or global state."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from crest_training.comparison import CLIMATOLOGY, MODEL, PERSISTENCE, Comparison
from crest_training.pairs import Floats
from crest_training.report_places import Place, flat
from crest_training.summary import EFFICIENCIES, Anchor, perfect

# Okabe and Ito (2008): colours that colour-blind readers tell apart; black is kept for observations.
COLOURS = {MODEL: "#0072b2", CLIMATOLOGY: "#e69f00", PERSISTENCE: "#cc79a7"}
_ANCHOR, _GREY, _DOTS = "#555555", "#aaaaaa", 130
_MARKS = "os^Dv*PX"
_SHOWN = 0.9  # share of the members within the band
_AROUND = 45  # steps before and after a flood


def distribution(scores: xr.Dataset, metrics: Sequence[str], anchors: Sequence[Anchor] = ()) -> Figure:
    """Return the share of places at or below each value, of each source; published medians are marked at one half."""
    drawn = Figure(figsize=(5.2 * len(metrics), 5.0), layout="constrained")
    for number, metric in enumerate(metrics):
        axes = drawn.add_subplot(1, len(metrics), number + 1)
        low, high = _limits(scores[metric].sel(source=MODEL).values, metric)
        for source in scores["source"].values:
            values = np.sort(np.asarray(scores[metric].sel(source=source).values, dtype=float).reshape(-1))
            values = values[np.isfinite(values)]
            if len(values):
                share = np.arange(1, len(values) + 1) / len(values)
                label = f"{source}, median {np.median(values):.3g}"
                axes.step(values, share, where="post", color=_colour(source), linewidth=1.6, label=_plain(label))
        for mark, anchor in zip(_MARKS * len(anchors), (a for a in anchors if a.metric == metric), strict=False):
            axes.plot(anchor.median, 0.5, mark, color=_ANCHOR, markersize=7, markerfacecolor="none",
                      linestyle="none", clip_on=False, label=_plain(f"{anchor.name}: {anchor.median:.3g}"))  # fmt: skip
            low, high = min(low, anchor.median), max(high, anchor.median)
        axes.axhline(0.5, color="#dddddd", linewidth=0.8, zorder=0)
        axes.set(xlim=(low, high), ylim=(0.0, 1.0), xlabel=_named(scores, metric), ylabel="share of places")
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0))
        _calm(axes)
    return drawn


def maps(scores: xr.Dataset, metrics: Sequence[str], where: tuple[Floats, Floats]) -> Figure:
    """Return maps of the model's metrics: points at longitude and latitude."""
    x, y = where
    wide = (np.nanmax(x) - np.nanmin(x)) * np.cos(np.radians(np.nanmean(y)))
    tall = np.nanmax(y) - np.nanmin(y)
    ratio = float(np.clip((wide + 0.1) / (tall + 0.1), 0.7, 2.2))
    drawn = Figure(figsize=(10.4, max(10.4 / 2 / ratio * 0.8 + 0.7, 3.0) * -(-len(metrics) // 2)), layout="constrained")
    for number, metric in enumerate(metrics):
        axes = drawn.add_subplot(-(-len(metrics) // 2), min(2, len(metrics)), number + 1)
        values = np.asarray(scores[metric].sel(source=MODEL).values, dtype=float).reshape(-1)
        there = np.isfinite(values)
        axes.scatter(x[~there], y[~there], s=14, facecolor="none", edgecolor=_GREY, linewidth=0.7)
        size = float(np.clip(7000.0 / max(len(values), 1), 7.0, 60.0))
        kind, ends = _colours(values[there], metric)
        shown = axes.scatter(
            x[there], y[there], c=values[there], s=size, cmap=colormaps[kind], vmin=ends[0], vmax=ends[1],
            edgecolor="#333333", linewidth=0.2,
        )  # fmt: skip
        drawn.colorbar(shown, ax=axes, shrink=0.8, extend=_beyond(values[there], ends), pad=0.02)
        axes.set(title=_named(scores, metric), xlabel="longitude [degrees east]", ylabel="latitude [degrees north]")
        axes.title.set_fontsize(10)
        axes.set_aspect(1.0 / max(np.cos(np.radians(np.nanmean(y))), 0.1))
        axes.margins(0.05)
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        _calm(axes)
    return drawn


def hydrograph(comparison: Comparison, scores: xr.Dataset, place: Place, metric: str) -> Figure:
    """Return two panels of a place: the year around its highest observation, and the days around that."""
    observed = flat(comparison.observed)[:, place.number]
    times = comparison.observed["time"].values
    peak = int(np.nanargmax(observed))
    value = np.asarray(scores[metric].sel(source=MODEL).values, dtype=float).reshape(-1)[place.number]
    drawn = Figure(figsize=(10.4, 5.6), layout="constrained")
    drawn.suptitle(_plain(f"{place.name}: {place.why}, {metric} {value:.2f}"), x=0.01, ha="left", fontsize=11)
    for row, half in enumerate((183, _AROUND)):
        axes = drawn.add_subplot(2, 1, row + 1)
        part = slice(max(peak - half, 0), peak + half + 1)
        if comparison.members is not None:
            members = flat(comparison.members)[part, :, place.number]
            low, high = np.quantile(members, [(1 - _SHOWN) / 2, (1 + _SHOWN) / 2], axis=1)
            told = f"{100 * _SHOWN:.0f} % of {members.shape[1]} members"
            axes.fill_between(times[part], low, high, color=COLOURS[MODEL], alpha=0.25, linewidth=0, label=told)
        axes.plot(times[part], observed[part], color="#000000", linewidth=1.3, label="observed")
        for source in (CLIMATOLOGY, MODEL):
            if source in comparison.simulated:
                series = flat(comparison.simulated[source])[part, place.number]
                axes.plot(times[part], series, color=COLOURS[source], linewidth=1.2, label=source)
        axes.set_ylabel(_plain(f"{comparison.output} [{comparison.units}]"), fontsize=9)
        axes.margins(x=0.01)
        if np.issubdtype(times.dtype, np.datetime64):
            locator = AutoDateLocator(minticks=4, maxticks=10)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        _calm(axes)
        if row == 0:
            axes.legend(frameon=False, fontsize=8, ncols=5, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    return drawn


def ranks(bars: Floats, label: str) -> Figure:
    """Return the histogram of ranks, or of shares of a distribution, over all places; frequencies (rank, place)."""
    whole = np.nanmean(bars.reshape(len(bars), -1), axis=1)
    drawn = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = drawn.add_subplot()
    axes.bar(np.arange(1, len(whole) + 1), whole, color=COLOURS[MODEL], width=0.9)
    axes.axhline(1.0 / len(whole), color="#000000", linewidth=1.0, label="reliable")
    axes.set(xlabel=label, ylabel="share of observations")
    axes.legend(frameon=False, fontsize=8)
    _calm(axes)
    return drawn


def png(drawn: Figure) -> bytes:
    """Return the bytes of a PNG file."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="png", dpi=_DOTS, metadata={"Software": "crest-training"})
    return buffer.getvalue()


def _limits(values: Floats, metric: str) -> tuple[float, float]:
    there = np.asarray(values, dtype=float).reshape(-1)
    there = there[np.isfinite(there)]
    if metric in EFFICIENCIES or not len(there):
        return -0.5, 1.0
    low, high = np.quantile(there, [0.01, 0.99])
    return float(low), float(high if high > low else low + 1.0)


def _colours(values: Floats, metric: str) -> tuple[str, tuple[float, float]]:
    """Return colours and limits: from 0 where nothing is below, else to both sides of what is perfect."""
    if metric in (*EFFICIENCIES, "pearson_r"):
        return "viridis", (0.0, 1.0)
    best = perfect(metric)
    most = float(np.quantile(np.abs(values - best), 0.95)) if len(values) else 1.0
    most = most or 1.0
    if best == 0.0 and not (values < 0.0).any():
        return "viridis", (0.0, most)
    return "RdBu", (best - most, best + most)


def _beyond(values: Floats, ends: tuple[float, float]) -> str:
    below, above = bool((values < ends[0]).any()), bool((values > ends[1]).any())
    return "both" if below and above else "min" if below else "max" if above else "neither"


def _named(scores: xr.Dataset, metric: str) -> str:
    units = str(scores[metric].attrs.get("units", "1"))
    return _plain(f"{metric} [{units}]") if units != "1" else _plain(metric)


def _colour(source: object) -> str:
    return COLOURS.get(str(source), "#009e73")


def _calm(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain(text: str) -> str:
    """Return a text in which a dollar is no formula: names come from files."""
    return text.replace("$", r"\$")
