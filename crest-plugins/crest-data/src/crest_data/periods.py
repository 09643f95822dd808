"""Periods: choosing one, holding one value, joining two sources at a date; never a time that the data do not cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from crest_core import Clock, TimeError, parse_time
from crest_data.deviations import check_convention, holds_at_the_end
from crest_data.errors import DataError
from crest_data.handshake import handshake
from crest_data.times import bounds_of, calendar_of, from_ticks, gaps_of, iso, time_coordinates, to_ticks


def select_period(dataset: xr.Dataset, start: Any, end: Any) -> xr.Dataset:
    """Return the intervals of [start, end); DataError if the data do not cover all of it."""
    edges, calendar = intervals(dataset), calendar_of(dataset["time"].values)
    low, high = (_tick(time, calendar) for time in (start, end))
    if not low < high:
        raise DataError(f"the period {start} to {end} is empty; the end is excluded and lies after the start")
    first, last = (iso(time) for time in from_ticks(np.array([edges[0, 0], edges[-1, 1]]), calendar))
    if low < edges[0, 0] or high > edges[-1, 1]:
        raise DataError(
            f"the period {start} to {end} is not within the data, {first} to {last}; nothing is carried beyond them: "
            f"shorten the period, or ask for climatology() or persist()"
        )
    chosen = (edges[:, 0] >= low) & (edges[:, 1] <= high)
    inside = edges[chosen]
    if not inside.size or inside[0, 0] != low or inside[-1, 1] != high:
        cut = iso(from_ticks(np.array([low if not inside.size or inside[0, 0] != low else high]), calendar)[0])
        raise DataError(
            f"the period {start} to {end}: {cut} is in a gap or inside an interval; choose times of the data"
        )
    selected = dataset.isel(time=np.flatnonzero(chosen))
    selected.attrs = {key: text for key, text in dataset.attrs.items() if key != "gaps"}
    lengths = np.unique(inside[:, 1] - inside[:, 0])
    return selected.assign_attrs(gaps_of(selected["time"].values, int(lengths[0])) if lengths.size == 1 else {})


def persist(dataset: xr.Dataset, start: Any, end: Any, step: str) -> xr.Dataset:
    """Return the one time of a dataset, held over every step of [start, end)."""
    if dataset.sizes.get("time") != 1:
        raise DataError(f"persist: expected a dataset of one time, got {dataset.sizes.get('time', 0)}; select the one")
    clock = clock_of(start, end, step, calendar_of(dataset["time"].values))
    held = iso(dataset["time"].values[0])
    return on_clock(dataset, np.zeros(len(clock), dtype=int), clock, f"{held} held from {start} to {end}")


def splice(earlier: xr.Dataset, later: xr.Dataset, at: Any) -> xr.Dataset:
    """Return `earlier` before the date `at` and `later` from it on; both hold the same variables at the same places."""
    handshake(earlier, later, time="phase")
    for one, two, said in ((earlier, later, "later"), (later, earlier, "earlier")):
        if absent := sorted({*map(str, one.data_vars)} - {*map(str, two.data_vars)}):
            raise DataError(
                f"splice: the {said} dataset lacks {', '.join(absent)}; drop them from the other, or add them"
            )
    calendar = calendar_of(earlier["time"].values)
    tick, before, after = _tick(at, calendar), intervals(earlier), intervals(later)
    for edges, said in ((before[before[:, 1] <= tick][-1:], "earlier"), (after[after[:, 0] >= tick][:1], "later")):
        meets = edges.size and (edges[0, 1] if said == "earlier" else edges[0, 0]) == tick
        if not meets:
            ends = [
                iso(time) for time in from_ticks((before if said == "earlier" else after)[[0, -1], [0, 1]], calendar)
            ]
            raise DataError(
                f"splice at {at}: no interval of the {said} dataset ({ends[0]} to {ends[1]}) "
                f"{'ends' if said == 'earlier' else 'starts'} there; choose a date that both cover"
            )
    parts = [
        earlier.isel(time=np.flatnonzero(before[:, 1] <= tick)),
        later.isel(time=np.flatnonzero(after[:, 0] >= tick)),
    ]
    static = [name for name in earlier.data_vars if "time" not in earlier[name].dims]
    if changed := [name for name in static if not earlier[name].variable.equals(later[name].variable)]:
        raise DataError(
            f"splice: {', '.join(map(str, changed))} is static and differs between the two; drop or rename it"
        )
    joined = xr.concat(
        parts, dim="time", data_vars="minimal", coords="minimal", compat="override", join="exact", combine_attrs="drop"
    )
    for name in joined.variables:
        joined[name].attrs = dict(earlier[name].attrs)
    return _finished(joined, earlier, later, at)


def _finished(joined: xr.Dataset, earlier: xr.Dataset, later: xr.Dataset, at: Any) -> xr.Dataset:
    joined["time"].encoding = dict(earlier["time"].encoding)
    texts = {
        key: "; ".join(dict.fromkeys(str(one.attrs[key]) for one in (earlier, later) if one.attrs.get(key)))
        for key in ("source", "licence", "citation", "gaps")
    }
    lines = [str(one.attrs["changes"]) for one in (earlier, later)]
    changes = "\n".join([*(line for line in lines if line), f"{later.attrs['source']} from {at} on, spliced"])
    joined = joined.assign_attrs(
        {**earlier.attrs, **{key: text for key, text in texts.items() if text}, "changes": changes}
    )
    check_convention(joined)
    return joined


def intervals(dataset: xr.Dataset) -> np.ndarray:
    """Return the bounds of time as ticks, (time, 2); DataError if there are none."""
    check_convention(dataset)
    if not dataset.sizes.get("time"):
        raise DataError("the dataset has no time")
    bounds = bounds_of(dataset)
    if not bounds:
        raise DataError("the dataset holds point values without intervals; select its times one by one")
    return to_ticks(dataset[bounds].transpose("time", ...).values)


def clock_of(start: Any, end: Any, step: str, calendar: str) -> Clock:
    """Return the clock of a period; DataError if it is none."""
    try:
        return Clock(start, end, step, calendar)
    except TimeError as error:
        raise DataError(str(error)) from error


def on_clock(dataset: xr.Dataset, index: np.ndarray, clock: Clock, change: str) -> xr.Dataset:
    """Return the times at `index`, labelled by the steps of the clock, and the change told."""
    moved = dataset.isel(time=index)
    edges = to_ticks(clock.bounds)
    moved = moved.drop_vars(["time", "time_bnds", "time_end"], errors="ignore")
    points = any(holds_at_the_end(variable) for variable in dataset.data_vars.values())
    moved = moved.assign_coords(time_coordinates(edges[:, 0], edges, clock.calendar, points=points))
    lines = [line for line in (str(dataset.attrs.get("changes", "")), change) if line]
    attributes = {**dataset.attrs, "calendar": clock.calendar, "changes": "\n".join(lines)}
    attributes.pop("gaps", None)
    moved.attrs = attributes
    check_convention(moved)
    return moved


def _tick(time: Any, calendar: str) -> int:
    try:
        return int(to_ticks(np.array([parse_time(time, calendar)], dtype=object))[0])
    except TimeError as error:
        raise DataError(str(error)) from error
