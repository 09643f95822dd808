"""Time series: one line a cell or a layer; of many cells the median and where most of them lie."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from crest_plot.cells import place_names
from crest_plot.errors import PlotError
from crest_plot.pictures import COLOURS, Band, Line, Page, Panel
from crest_plot.selection import Field
from crest_plot.time_axis import TimeAxis

MOST_LINES = 8  # more places are drawn as median and bands
MOST_PANELS = 6  # more layers of several cells are drawn as their medians
_BLOCK = 16_000_000  # values that are read at once
_FEW, _NARROWEST = 20, 50  # gaps that are all shaded; of more, those of 1/50 of the axis and longer
_QUANTILES = (0.5, 0.05, 0.95, 0.25, 0.75)


def series_page(field: Field, *, log: bool = False) -> Page:
    """Return the picture of a field over time: layers as lines, or a panel for each layer of several cells."""
    panels, notes = series_panels(field, log=log)
    return Page(field.title, tuple((panel,) for panel in panels), notes=(*field.notes, *notes))


def series_panels(field: Field, *, log: bool = False) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    """Return the panels of a field over time, and notes on what is missing or not drawn."""
    if field.axis is None:
        dims = ", ".join(map(str, field.array.dims)) or "none"
        raise PlotError(f"{field.name} has no dimension time (its dims: {dims}), so no series; ask for a map")
    note: tuple[str, ...] = ()
    if field.size == 1 or len(field.layers) > MOST_PANELS:
        values, note, missing = _of_layers(field)
        labels = field.layers or tuple(place_names(field.array, field.places))
        if not field.layer and len(labels) == 1:
            labels = (field.name.replace("_", " "),)
        colours = depth_colours(len(labels)) if field.layer else COLOURS
        groups = [(values, labels, colours, "")]
    else:
        many = field.size > MOST_LINES
        names = tuple(place_names(field.array, field.places))
        whole, missing = quantiles(field) if many else _all(field)
        groups = [(whole[:, n], names, COLOURS, text) for n, text in enumerate(field.layers or ("",))]
    panels = []
    for values, labels, colours, title in groups:
        lines, bands = _drawn(field, positive(values) if log else values, labels, colours)
        gaps = missing_periods(field.axis, np.isfinite(values).any(axis=1))
        panel = Panel(field.label, field.axis.label, lines, bands, gaps=gaps, title=title, log=log)
        panels.append(panel)
    every = np.concatenate([values for values, *_ in groups], axis=1)
    if not np.isfinite(every).any():
        raise PlotError(f"{field.name}: all {field.array.size} values are missing in {field.axis.period()}")
    notes: tuple[str, ...] = (f"{100 * missing / field.array.size:.2g} % of the values are missing",) if missing else ()
    if log and (hidden := int((every <= 0).sum())):
        notes += (f"{hidden} values of 0 and less are not drawn on a logarithmic axis",)
    return tuple(panels), (*note, *notes)


def quantiles(field: Field) -> tuple[np.ndarray, int]:
    """Return median, 5, 95, 25 and 75 % of the places, (time, layer, 5), and how many values are missing.

    Values are read block by block.
    """
    assert field.axis is not None
    each = max(1, len(field.layers)) * field.size
    length = max(1, _BLOCK // each)
    parts, missing = [], 0
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # all of a time may be missing
        for first in range(0, len(field.axis), length):
            values = field.read(slice(first, first + length))
            holes = int(np.isnan(values).sum())
            found = (np.nanquantile if holes else np.quantile)(values, _QUANTILES, axis=2)
            parts.append(np.moveaxis(found, 0, 2))
            missing += holes
    return np.concatenate(parts), missing


def positive(values: np.ndarray) -> np.ndarray:
    """Return quantiles or lines for a logarithmic axis: no zeros; a band that reaches zero ends at the least value."""
    above = np.where(values > 0, values, np.nan)
    if values.shape[1] != len(_QUANTILES) or not np.isfinite(above).any():
        return above
    least = np.nanmin(above)
    return np.where((values <= 0) & np.isfinite(above).any(axis=1, keepdims=True), least, above)


def depth_colours(count: int) -> tuple[str, ...]:
    """Return colours from the top layer, light, to the deepest, dark."""
    shades = np.linspace(0.78, 0.0, count) if count > 1 else [0.3]
    return tuple(to_hex(colormaps["viridis"](shade)) for shade in shades)


def missing_periods(axis: TimeAxis, present: np.ndarray) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
    """Return the periods without a value, or without a row in the file; where they are many, the long ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~present, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2] - 1
    periods = [(axis.starts[first], axis.ends[last]) for first, last in zip(starts, ends, strict=True)]
    periods += [(axis.ends[after], axis.starts[after + 1]) for after in axis.jumps()]
    least = (axis.ends[-1] - axis.starts[0]) / _NARROWEST
    wide = [(start, end) for start, end in sorted(periods) if end - start >= least]
    return tuple(sorted(periods) if len(periods) <= _FEW else wide)


def line(axis: TimeAxis, values: np.ndarray, label: str, colour: str) -> Line:
    """Return a line that is broken where steps are missing; points where most are, or steps have no usual length."""
    jumps, sparse = axis.jumps() + 1, np.isfinite(values).mean() < 0.5
    values = np.insert(values, jumps, np.nan)
    x, when = (np.insert(times, jumps, times[jumps]) for times in (axis.positions, axis.when))
    return Line(label, x, values, when, colour, points=len(axis) > 1 and (not axis.regular or bool(sparse)))


def _all(field: Field) -> tuple[np.ndarray, int]:
    values = field.read()
    return values, int(np.isnan(values).sum())


def _of_layers(field: Field) -> tuple[np.ndarray, tuple[str, ...], int]:
    """Return a column for each layer; of several cells their median."""
    if field.size == 1:
        values, missing = _all(field)
        return values[:, :, 0], (), missing
    values, missing = quantiles(field)
    return values[:, :, 0], (f"median of {field.counted}",), missing


def _drawn(
    field: Field, values: np.ndarray, labels: Sequence[str], colours: Sequence[str]
) -> tuple[tuple[Line, ...], tuple[Band, ...]]:
    """Return lines of few places, or median and bands of many; values are (time, line) or (time, 5 quantiles)."""
    axis = field.axis
    assert axis is not None
    if values.shape[1] == len(labels):
        own = [line(axis, values[:, n], label, colours[n % len(colours)]) for n, label in enumerate(labels)]
        return tuple(own), ()
    low = line(axis, values[:, 1], "", COLOURS[0])
    outer, inner = (
        Band(name, low.x, line(axis, values[:, n], "", "").y, line(axis, values[:, n + 1], "", "").y, opacity=opacity)
        for n, name, opacity in ((1, "5 to 95 %", 0.15), (3, "25 to 75 %", 0.3))
    )
    median = line(axis, values[:, 0], f"median of {field.counted}", COLOURS[0])
    return (median,), (outer, inner)
