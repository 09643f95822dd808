"""Handshake: what must agree before datasets are used together; nothing is aligned to make it agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from crest_core import UnitError, conversion, default_dictionary
from crest_data.deviations import check_convention
from crest_data.errors import DataError
from crest_data.times import bounds_of, calendar_of, from_ticks, iso, to_ticks

_TIME = ("exact", "phase")
_JITTER = 1e-3  # degrees, 100 m: nearer than that two unequal coordinates are taken for one, badly written
_MILLIMETRE = 1e-3  # m: vertical extents nearer than that are one
_JOINED = ("source", "licence", "citation", "changes", "gaps")


def handshake(*datasets: xr.Dataset, time: str = "exact") -> None:
    """Return if the datasets can be used together; DataError lists every disagreement, with both values and the repair.

    Each keeps to the convention; all agree on calendar, time zone, step, phase, places, and on units, sign and vertical
    extent of what they share. `time="exact"` asks for the same times, `time="phase"` lets the periods differ. A static
    dataset has no time.
    """
    if time not in _TIME:
        raise DataError(f"handshake time {time!r} is not one of {', '.join(_TIME)}")
    for number, dataset in enumerate(datasets, 1):
        if not isinstance(dataset, xr.Dataset):
            hint = ", as by to_dataset()" if isinstance(dataset, xr.DataArray) else ""
            raise DataError(
                f"dataset {number}: expected an xarray Dataset, got {type(dataset).__name__}; give one{hint}"
            )
        try:
            check_convention(dataset)
        except DataError as error:
            raise DataError(f"{_name(number, dataset)}: {error}") from error
    faults: list[str] = []
    for (one, first), (two, second) in combinations(enumerate(datasets, 1), 2):
        pair = (_name(one, first), _name(two, second))
        found = [
            *_times(first, second, time),
            *_places(first, second),
            *_others(first, second),
            *_quantities(first, second),
        ]
        faults += [fault.format(*pair) for fault in found]
    if faults:
        raise DataError("\n".join(["the datasets do not agree:", *faults]))


def merge(*datasets: xr.Dataset) -> xr.Dataset:
    """Return one dataset of all variables, after a handshake on exactly the same times and places."""
    if not datasets:
        raise DataError("merge: expected one Dataset or several, got none; give what is to be merged")
    handshake(*datasets)
    names = [str(name) for dataset in datasets for name in dataset.data_vars]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"{twice} are in several datasets; rename or drop one of each")
    try:
        merged = xr.merge(datasets, join="exact", compat="equals", combine_attrs="override")
    except ValueError as error:
        raise DataError(f"the datasets hold coordinates that differ: {error}; drop or rename one") from error
    shared = {
        key: text for key, text in datasets[0].attrs.items() if all(one.attrs.get(key) == text for one in datasets)
    }
    merged.attrs = {}
    return merged.assign_attrs({**shared, **_joined(datasets)})


def _joined(datasets: Iterable[xr.Dataset]) -> dict[str, str]:
    """Return the attributes that tell where the data are from, those of all datasets."""
    texts = {key: [str(one.attrs[key]) for one in datasets if one.attrs.get(key)] for key in _JOINED}
    joined = {
        key: ("\n" if key == "changes" else "; ").join(dict.fromkeys(found)) for key, found in texts.items() if found
    }
    moving = [one.attrs for one in datasets if "time" in one.dims]
    of_time = {key: moving[0][key] for key in ("time_zone", "calendar") if moving and key in moving[0]}
    return {"changes": "", **joined, **of_time}


def _name(number: int, dataset: xr.Dataset) -> str:
    return f"dataset {number} ({dataset.attrs.get('source', 'no source')})".replace("{", "(").replace("}", ")")


def _times(first: xr.Dataset, second: xr.Dataset, time: str) -> Iterator[str]:
    if "time" not in first.dims or "time" not in second.dims:
        return
    calendars = [calendar_of(one["time"].values) for one in (first, second)]
    if len(set(calendars)) > 1:
        yield _both("calendar", calendars, "convert one with xarray's convert_calendar")
        return
    zones = [one.attrs["time_zone"] for one in (first, second)]
    if len(set(zones)) > 1:
        yield _both("time_zone", zones, "days of two zones are not the same days; make days of one zone from hours")
    ticks = [to_ticks(one["time"].values) for one in (first, second)]
    steps = [_step(one) for one in (first, second)]
    if steps[0] != steps[1]:
        yield _both("time step", map(_span, steps), "bring one to the step of the other, in sight")
        return
    length = steps[0]
    starts = [iso(from_ticks(one[:1], calendars[0])[0]) if one.size else "nothing" for one in ticks]
    if length and all(one.size for one in ticks) and (ticks[0][0] - ticks[1][0]) % length:
        yield _both(
            "time phase, intervals start at",
            starts,
            f"bring one to intervals of {_span(length)} that start as the other's",
        )
    elif time == "exact" and not np.array_equal(ticks[0], ticks[1]):
        yield _period(first, second, ticks, calendars[0])
    elif time == "exact" and not np.array_equal(_edges(first), _edges(second)):
        yield _both("ends of the intervals", ("some", "others"), "correct the bounds")


def _period(first: xr.Dataset, second: xr.Dataset, ticks: list[np.ndarray], calendar: str) -> str:
    said = []
    for one in ticks:
        ends = [iso(date) for date in from_ticks(one[[0, -1]], calendar)] if one.size else ["nothing", "nothing"]
        said.append(f"{one.size} times, {ends[0]} to {ends[1]}")
    alone = np.setxor1d(ticks[0], ticks[1])
    odd = iso(from_ticks(alone[:1], calendar)[0])
    return _both("times", said, f"select the period and the times of both in sight ({odd} is in one only)")


def _edges(dataset: xr.Dataset) -> np.ndarray:
    bounds = bounds_of(dataset)
    times = dataset[bounds].transpose("time", ...) if bounds else dataset["time"]
    return to_ticks(times.values)


def _step(dataset: xr.Dataset) -> int | None:
    """Return the one length of all intervals [microseconds]; 0 for point values, None for intervals that vary."""
    edges = _edges(dataset)
    if edges.ndim == 1:
        return 0
    lengths = set((edges[:, 1] - edges[:, 0]).tolist())
    return lengths.pop() if len(lengths) == 1 else None


def _span(step: int | None) -> str:
    if step is None:
        return "intervals that vary"
    return str(timedelta(microseconds=step)) if step else "point values"


def _places(first: xr.Dataset, second: xr.Dataset) -> Iterator[str]:
    kinds = ["cell" if "cell" in one.dims else "y, x" for one in (first, second)]
    if kinds[0] != kinds[1]:
        yield _both("dims", kinds, "bring the grid to the cells, or the cells to the grid")
        return
    for dim in kinds[0].split(", "):
        if first.sizes[dim] != second.sizes[dim]:
            yield _both(f"size of {dim}", (first.sizes[dim], second.sizes[dim]), "select the same places in sight")
            return
    for name in ("lat", "lon", "cell_id"):
        if name in first.coords and name in second.coords:
            yield from _coordinate(name, first[name].values, second[name].values)


def _coordinate(name: str, one: np.ndarray, two: np.ndarray) -> Iterator[str]:
    if one.shape != two.shape:
        yield _both(f"shape of {name}", (one.shape, two.shape), "bring both to one grid")
        return
    numbers = one.dtype.kind == "f" and two.dtype.kind == "f"
    differ = ~((one == two) | (np.isnan(one) & np.isnan(two))) if numbers else one != two
    if not differ.any():
        return
    values = (one[differ][0], two[differ][0])
    said = [repr(float(value)) if numbers else repr(str(value)) for value in values]
    if numbers and np.nanmax(np.abs(one - two)) < _JITTER:
        far = f"{np.nanmax(np.abs(one - two)):.1e}"
        yield _both(
            name, said, f"they differ by up to {far} degrees: if it is one grid, assign_coords of one to the other"
        )
    elif numbers:
        yield _both(name, said, "regrid one to the places of the other")
    else:
        yield _both(name, said, "select the same cells in the same order")


def _others(first: xr.Dataset, second: xr.Dataset) -> Iterator[str]:
    """Yield what differs in dims and coordinates that are neither time nor place."""
    for dim in sorted({*map(str, first.dims)} & {*map(str, second.dims)} - {"time", "cell", "y", "x", "bnds"}):
        if first.sizes[dim] != second.sizes[dim]:
            yield _both(f"size of {dim}", (first.sizes[dim], second.sizes[dim]), "select the same ones in sight")
    known = {"time", "time_bnds", "time_end", "lat", "lon", "cell_id"}
    for name in sorted({*map(str, first.coords)} & {*map(str, second.coords)} - known):
        one, two = first[name].variable, second[name].variable
        if "time" not in one.dims and one.shape == two.shape and not one.equals(two):
            yield _both(
                f"coordinate {name}", (one.values.tolist(), two.values.tolist()), "give one of them another name"
            )


def _quantities(first: xr.Dataset, second: xr.Dataset) -> Iterator[str]:
    """Yield where variables of one name, or of one standard name and statistic, are not the same quantity."""
    for name, one in first.data_vars.items():
        for other, two in second.data_vars.items():
            named = one.attrs.get("standard_name", name) == two.attrs.get("standard_name", other)
            methods = [_methods(each.attrs) for each in (one, two)]
            if name == other and methods[0] != methods[1]:
                yield _both(f"cell_methods of {name}", map(repr, methods), "rename one, they are two quantities")
            elif name == other or (named and methods[0] == methods[1]):
                label = str(name) if name == other else f"{name} and {other}"
                yield from _alike(label, one.attrs, two.attrs, one_name=name == other)


def _methods(attributes: Mapping[str, Any]) -> str:
    """Return cell_methods, and when point values hold that do not at the end of their interval."""
    moment = f", at {attributes['point_time']}" if "point_time" in attributes else ""
    return f"{attributes.get('cell_methods', '')}{moment}"


def _alike(label: str, one: Mapping[str, Any], two: Mapping[str, Any], *, one_name: bool) -> Iterator[str]:
    """Yield where units, sign or, under one name, vertical extent differ; what one does not tell is no difference."""
    units = [str(each.get("units", "1")) for each in (one, two)]
    if not _same(*units):
        yield _both(f"units of {label}", map(repr, units), "convert one, to_units= of its Variable")
    signs = [_sign(each) for each in (one, two)]
    if all(signs) and signs[0] != signs[1]:
        repair = "multiply one by -1 and set its attribute positive to that of the other"
        yield _both(f"positive of {label}", map(repr, signs), repair)
    extents = [np.ravel(each.get("vertical_extent", ())).tolist() for each in (one, two)]
    if one_name and all(extents) and not _extents_agree(*extents):
        yield _both(f"vertical_extent of {label} [m]", extents, "rename one, they are two quantities")


def _sign(attributes: Mapping[str, Any]) -> str:
    """Return the direction that counts as positive; where the data do not tell it, what the standard name says."""
    entry = default_dictionary().get(str(attributes.get("standard_name", "")))
    return str(attributes.get("positive", "")) or (entry.positive if entry is not None else "")


def _extents_agree(one: list[float], two: list[float]) -> bool:
    return len(one) == len(two) and np.allclose(one, two, rtol=0.0, atol=_MILLIMETRE)


def _same(one: str, two: str) -> bool:
    try:
        return conversion(one, two).is_identity
    except UnitError:
        return False


def _both(what: object, values: Iterable[object], repair: str) -> str:
    """Return "what: one in {0}, two in {1}; repair", for the names of the datasets."""
    one, two = (str(value).replace("{", "(").replace("}", ")") for value in values)
    return f"{what}: {one} in {{0}}, {two} in {{1}}; {repair}"
