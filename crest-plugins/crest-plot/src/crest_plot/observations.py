"""Observations laid over a simulated series, in its units, cell by cell and layer by layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crest_plot.cells import place_names
from crest_plot.errors import PlotError
from crest_plot.pairing import same_days, same_places
from crest_plot.pictures import OBSERVED, Map, Matrix, Page, Panel
from crest_plot.selection import Field, in_units, select
from crest_plot.series import MOST_LINES, line
from crest_plot.time_axis import tell


def matched(observed: Field, field: Field, whole: Field) -> tuple[Field, tuple[str, ...]]:
    """Return observations at the cells, in the period and in the units of a field, and notes on what is not sure.

    `whole` is the field before cells were chosen. PlotError where the observations do not fit.
    """
    assert field.axis is not None
    if observed.axis is None:
        raise PlotError(f"observed {observed.name} has no dimension time; its dims are {observed.array.dims}")
    what = f"observed {observed.name}"
    notes = same_days(what, observed, field)
    if field.units and observed.units != field.units:
        observed = in_units(observed, field.units)
    first, last = (tell(time).replace(" ", "T") for time in (field.axis.starts[0], field.axis.ends[-1]))
    observed = select(observed, start=first, end=last)
    if observed.layer and field.layer and observed.layers != field.layers and len(observed.layers) != len(field.layers):
        raise PlotError(
            f"observed {observed.name} has {len(observed.layers)} layers ({', '.join(observed.layers)}) and "
            f"{field.name} {len(field.layers)} ({', '.join(field.layers)}); choose one of each with --layer"
        )
    names, theirs = place_names(field.array, field.places), place_names(observed.array, observed.places)
    if len(names) > MOST_LINES:
        raise PlotError(f"{field.name} has {len(names)} places, too many for observations; choose some with --cell")
    if len(names) == len(theirs) == 1:
        return observed, (*same_places(what, observed, field, whole), *notes)
    missing = [name for name in names if name not in theirs]
    if missing:
        raise PlotError(
            f"observed {observed.name} has no cell {', '.join(missing)}; it has {', '.join(theirs[:8])}; "
            f"choose a cell that both have with --cell"
        )
    observed = select(observed, cell=[_asked(name) for name in names])
    return observed, (*same_places(what, observed, field, whole), *notes)


def overlaid(page: Page, observed: Field) -> Page:
    """Return a page with observations on every panel of lines."""
    number, several, rows = 0, sum(_has_lines(one) for row in page.rows for one in row) > 1, []
    for row in page.rows:
        shown: list[Panel | Map | Matrix] = []
        for one in row:
            if isinstance(one, Panel) and one.lines:
                one, number = _overlaid(one, observed, number if several else None), number + 1
            shown.append(one)
        rows.append(tuple(shown))
    return replace(page, rows=tuple(rows))


def _has_lines(one: Panel | Map | Matrix) -> bool:
    return isinstance(one, Panel) and bool(one.lines)


def _overlaid(panel: Panel, observed: Field, layer: int | None) -> Panel:
    """Return a panel with observations: black for one line, else points in the colours of the lines."""
    assert observed.axis is not None
    values = observed.read()
    if layer is not None and observed.layer:
        columns = values[:, layer]
    else:
        columns = values[:, :, 0] if observed.layer else values[:, 0]
    own = panel.lines
    if columns.shape[1] not in (1, len(own)):
        raise PlotError(f"observed {observed.name} has {columns.shape[1]} series for {len(own)} lines; choose a --cell")
    lines = []
    for number in range(columns.shape[1]):
        alone = columns.shape[1] == 1
        label = "observed" if alone else f"observed {own[number].label}"
        drawn = line(observed.axis, columns[:, number], label, OBSERVED if alone else own[number].colour)
        lines.append(replace(drawn, points=not alone or drawn.points))
    if not any(np.isfinite(one.y).any() for one in lines):
        raise PlotError(f"observed {observed.name}: all values are missing in {observed.axis.period()}")
    return replace(panel, lines=(*own, *lines))


def _asked(name: str) -> str:
    """Return how `--cell` names a place that has no id: "cell 3" is its number."""
    head, _, number = name.rpartition(" ")
    return number if head.startswith("cell") and number.isdecimal() else name
