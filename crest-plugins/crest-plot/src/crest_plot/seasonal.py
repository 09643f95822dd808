"""The usual year of a field: median and spread of each ten days, or of each month, over all years."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from crest_plot.errors import PlotError
from crest_plot.pictures import COLOURS, Band, Line, Page, Panel
from crest_plot.selection import Field
from crest_plot.series import depth_colours

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_STARTS = (1, 32, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366)  # days of a year of 365
_YEAR, _DEKADS = np.timedelta64(360, "D"), 15.0  # shortest record; days of the longest step for ten-day bins


def seasonal_page(field: Field, *, log: bool = False) -> Page:
    """Return the picture of the usual year; PlotError where there is less than a year."""
    panel, note = seasonal_panel(field, log=log)
    return Page(field.title, ((panel,),), notes=(*field.notes, note))


def lasts_a_year(field: Field) -> bool:
    """Return whether there is a year of data."""
    return field.axis is not None and bool(field.axis.ends[-1] - field.axis.starts[0] >= _YEAR)


def seasonal_panel(field: Field, *, log: bool = False) -> tuple[Panel, str]:
    """Return the usual year of all places together, a line for each layer, and what it is made of."""
    axis = field.axis
    if axis is None:
        raise PlotError(f"{field.name} has no dimension time, so no seasons; ask for a map")
    if not lasts_a_year(field):
        raise PlotError(f"{field.name} has {axis.period()}: seasons need a year at least; ask for a series")
    days = axis.step / np.timedelta64(1, "D")
    bins, middles, told = _dekads(axis.dates) if days < _DEKADS else _months(axis.dates)
    found = _spread(field, bins, len(middles))
    lines, bands = [], []
    colours = depth_colours(len(field.layers)) if field.layer else COLOURS
    for layer in range(found.shape[1]):
        name = f"median, {field.layers[layer]}" if field.layer else "median"
        lines.append(Line(name, middles, found[:, layer, 0], middles, colours[layer]))
        if found.shape[1] == 1:
            bands.append(Band("10 to 90 %", middles, found[:, 0, 1], found[:, 0, 2], opacity=0.15))
            bands.append(Band("25 to 75 %", middles, found[:, 0, 3], found[:, 0, 4], opacity=0.3))
    years = (axis.ends[-1] - axis.starts[0]) / np.timedelta64(1, "D") / 365.25
    of_cells = f", {field.counted}" if field.size > 1 else ""
    note = f"usual year: {told} of {axis.period()} ({years:.3g} years){of_cells}"
    panel = Panel(field.label, "month", tuple(lines), tuple(bands), title="usual year", log=log, seasonal=True)
    return panel, note


def _spread(field: Field, bins: np.ndarray, count: int) -> np.ndarray:
    """Return median, 10, 90, 25 and 75 % (bin, layer, 5) of all times and places of a bin, one bin at a time."""
    found = np.full((count, max(1, len(field.layers)), 5), np.nan)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a bin may be empty
        for number in range(count):
            times = np.flatnonzero(bins == number)
            if len(times):
                parts = [field.read(slice(part[0], part[-1] + 1)) for part in _runs(times)]
                values = np.concatenate(parts)
                found[number] = np.nanquantile(values, (0.5, 0.1, 0.9, 0.25, 0.75), axis=(0, 2)).T
    return found


def _runs(numbers: np.ndarray) -> list[np.ndarray]:
    """Return increasing numbers split where one is left out: each part is read at once."""
    return np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)


def _dekads(dates: xr.DataArray) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the ten days (1-10, 11-20, 21-end of a month) of each date, their middles, and their name."""
    month, day = dates.dt.month.values, dates.dt.day.values
    bins = 3 * (month - 1) + np.minimum((day - 1) // 10, 2)
    starts = np.array([start + part for start in MONTH_STARTS[:12] for part in (0, 10, 20)] + [366])
    return bins, (starts[:-1] + starts[1:]) / 2.0, "ten-day bins"


def _months(dates: xr.DataArray) -> tuple[np.ndarray, np.ndarray, str]:
    starts = np.array(MONTH_STARTS)
    return dates.dt.month.values - 1, (starts[:-1] + starts[1:]) / 2.0, "months"
