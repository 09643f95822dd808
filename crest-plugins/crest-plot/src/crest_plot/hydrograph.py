"""Hydrographs: runoff or discharge, with precipitation hanging from the top."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from crest_plot.cells import ids_of, place_names
from crest_plot.errors import PlotError
from crest_plot.pairing import same_days, same_places, some_near
from crest_plot.pictures import Bars, Page, Panel
from crest_plot.selection import Field, field_of, in_units, plottable, select
from crest_plot.series import quantiles, series_panels
from crest_plot.time_axis import tell

_FLOW = ("runoff", "discharge", "streamflow", "river", "qobs", "qsim")
_RAIN = ("precipitation", "rainfall", "prcp", "precip", "total_precipitation", "rain")


def is_flow(field: Field) -> bool:
    """Return whether a field is runoff or discharge, by its standard name or its name."""
    names = f"{field.array.attrs.get('standard_name', '')} {field.name}".lower()
    return any(word in names for word in _FLOW)


def find_rain(dataset: xr.Dataset) -> str | None:
    """Return the name of the precipitation of a Dataset, where it has one."""
    for name in plottable(dataset):
        standard = str(dataset[name].attrs.get("standard_name", ""))
        told = standard or name
        if "time" in dataset[name].dims and any(word in told.lower().split("_") or told == word for word in _RAIN):
            return name
    return None


def hydrograph_page(field: Field, *, rain: Field | None = None, log: bool = False) -> Page:
    """Return the picture of a flow over time, with precipitation above it where it is known."""
    panels, notes = series_panels(field, log=log)
    if rain is None:
        return Page(field.title, tuple((panel,) for panel in panels), notes=(*field.notes, *notes))
    top, more = _rain_panel(rain, field)
    return Page(field.title, ((top,), *((panel,) for panel in panels)), notes=(*field.notes, *notes, *more))


def _rain_panel(rain: Field, flow: Field) -> tuple[Panel, tuple[str, ...]]:
    """Return bars from the top, in mm of a step or a day; of several cells their mean."""
    if rain.axis is None:
        raise PlotError(f"precipitation {rain.name} has no dimension time; its dims are {rain.array.dims}")
    assert flow.axis is not None
    first, last = (tell(time).replace(" ", "T") for time in (flow.axis.starts[0], flow.axis.ends[-1]))
    rain = select(_of_same_cells(rain, flow), start=first, end=last)
    target = {"kg m-2 s-1": "mm day-1", "kg m-2 day-1": "mm day-1", "kg m-2": "mm", "m s-1": "mm day-1", "m": "mm"}
    if rain.units in target:
        rain = in_units(rain, target[rain.units])
    axis, notes = rain.axis, list(rain.notes)
    assert axis is not None
    if rain.size == 1 and not rain.layer:
        values = rain.read()[:, 0, 0]
    else:
        values = quantiles(rain)[0][:, 0, 0]
        notes.append(f"precipitation: median of {rain.counted}")
    bars = Bars(rain.name.replace("_", " "), axis.starts, axis.ends, np.asarray(values))
    return Panel(rain.label, axis.label, bars=(bars,), inverted=True, height=1.4), tuple(notes)


def rain_at(rain: Field, flow: Field, whole: Field) -> tuple[Field, tuple[str, ...]]:
    """Return precipitation of another file at the cells of the flow, and notes on what is not sure.

    `whole` is the flow before cells were chosen. PlotError where it is of other places or days.
    """
    if rain.axis is None:
        raise PlotError(f"precipitation {rain.name} has no dimension time; its dims are {rain.array.dims}")
    what = f"precipitation {rain.name}"
    notes = same_days(what, rain, flow)
    ids, own = ids_of(rain.array, rain.places), ids_of(flow.array, flow.places)
    missing = [name for name in own if name not in ids] if ids else []
    if rain.size != flow.size and missing and (rain.size > 1 or len(missing) == len(own)):
        raise PlotError(
            f"{what} has no cell {', '.join(missing[:4])}; it has {', '.join(ids[:8])}; choose a cell that both have "
            f"with --cell"
        )
    rain = _of_same_cells(rain, flow)
    if rain.size == flow.size:
        return rain, (*same_places(what, rain, flow, whole), *notes)
    if not (ids and own):
        some_near(what, rain, flow, whole)
    series = "one series" if rain.size == 1 else f"the median of {rain.counted}"
    return rain, (f"{what} is {series} for {flow.counted} of {flow.name}", *notes)


def _of_same_cells(rain: Field, flow: Field) -> Field:
    """Return precipitation at the cells of the flow where both have their ids, else as it is."""
    names = place_names(flow.array, flow.places)
    theirs = place_names(rain.array, rain.places)
    if rain.size == 1 or names == theirs or not set(names) <= set(theirs):
        return rain
    positions = [theirs.index(name) for name in names]
    if len(rain.places) == 1:
        return replace(rain, array=rain.array.isel({rain.places[0]: positions}))
    return rain


def rain_of(dataset: xr.Dataset) -> Field | None:
    """Return the precipitation of a Dataset as a field, where it has one."""
    name = find_rain(dataset)
    return field_of(dataset, name) if name else None
