"""The one convention that every reader keeps to, and the function that brings raw data to it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import xarray as xr

from crest_core import Conversion, UnitError, conversion, parse_timestep
from crest_data.deviations import check_convention
from crest_data.errors import DataError
from crest_data.places import place, place_dims
from crest_data.quality import quality_attributes, screened
from crest_data.times import label_times, one_time
from crest_data.variable import WATER_DENSITY, Variable

__all__ = ["check_convention", "conform"]


def conform(
    raw: xr.Dataset,
    variables: Mapping[str, Variable],
    *,
    step: str | None,
    label: str = "start",
    time_zone: str = "UTC",
    sampled: bool = False,
    flags: Mapping[str, xr.DataArray] | None = None,
    source: str,
    licence: str = "",
    citation: str = "",
) -> xr.Dataset:
    """Return the variables of `raw` in the convention; what was changed is told in the attribute `changes`.

    `variables` maps the source's names to what is handed out. `label` says what the source's times stand for: the
    start, middle or end of an interval of `step`; a point value belongs to the end of its interval. Bounds that the
    source has are kept; with step None and without bounds, times are those of point values. Times of steps shorter
    than a day in a zone "UTC-5" become UTC; local days stay local days, and the attribute `time_zone` says so. `flags`
    holds, by handed-out name, quality codes on the dims of the source: 0 good, 1 missing, 2 rejected, 3 filled.
    `sampled` allows times that are all farther apart than a step, as hours chosen from a series.

    >>> import numpy as np
    >>> days = np.arange("2000-01-01", "2000-01-04", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    >>> raw = xr.Dataset({"T": ("time", [1.0, -9999.0, 3.0])}, {"time": days, "lat": 47.0, "lon": 190.0})
    >>> celsius = Variable("temperature", "degC", to_units="K", missing=(-9999.0,))
    >>> held = conform(raw, {"T": celsius}, step="1D", source="a thermometer")
    >>> held["temperature"].values[:, 0].tolist(), held["temperature_quality"].values[:, 0].tolist()
    ([274.15, nan, 276.15], [0, 1, 0])
    """
    dataset = _selected(raw, variables, flags or {})
    dataset, changes = place(dataset)
    dataset, more = one_time(dataset)
    changes += more
    about: dict[str, str] = {}
    if moving := _moving(dataset, variables):
        points = any(variables[name].statistic == "point" and not variables[name].point_time for name in moving)
        dataset, about, more = label_times(
            dataset, step=step, label=label, time_zone=time_zone, points=points, sampled=sampled
        )
        changes += more
    result = dataset.drop_vars(list(dataset.data_vars))
    for name, variable in variables.items():
        result, more = _added(result, dataset, name, variable, step)
        changes += more
    facts = {"source": source, "licence": licence, "citation": citation} | about
    attributes = {"Conventions": "CF-1.11", **{key: text for key, text in facts.items() if text}}
    earlier = [str(raw.attrs["changes"])] if raw.attrs.get("changes") else []
    result.attrs = {key: text for key, text in raw.attrs.items() if key not in ("gaps", "time_zone", "calendar")}
    result = result.assign_attrs({**attributes, "changes": "\n".join([*earlier, *changes])})
    check_convention(result)
    return result


def _selected(raw: xr.Dataset, variables: Mapping[str, Variable], flags: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Return the variables asked for and their flags, with all coordinates and the bounds of time."""
    names = [variable.name for variable in variables.values()]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"the names {twice} are each given to two variables; rename one")
    held = [str(name) for name in raw.variables]
    if absent := [name for name in variables if name not in raw.variables]:
        close = get_close_matches(str(absent[0]), held, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise DataError(f"the source has no variables {absent}; it holds {', '.join(held) or 'nothing'}{hint}")
    if unknown := [name for name in flags if name not in names]:
        raise DataError(f"flags are given for {unknown}, which are not among the variables {names}")
    bounds = [name for name in held if raw[name].attrs.get("bounds") in held]
    kept = [*variables, *(raw[name].attrs["bounds"] for name in bounds), *_coordinates_as_data(raw)]
    dataset = raw[list(dict.fromkeys(kept))]
    for name, flag in flags.items():
        dataset = _with_flag(dataset, f"{name}_quality", flag)
    return dataset


def _coordinates_as_data(raw: xr.Dataset) -> list[str]:
    """Return names of coordinates that the source holds as plain variables."""
    standard = ("latitude", "longitude")
    named = ("lat", "lon", "latitude", "longitude", "cell_id", *standard)
    return [
        str(name)
        for name, variable in raw.data_vars.items()
        if variable.attrs.get("standard_name") in standard or str(name).lower() in named
    ]


def _with_flag(dataset: xr.Dataset, name: str, flag: xr.DataArray) -> xr.Dataset:
    if flag.dtype.kind not in "iu":
        raise DataError(
            f"{name}: flags of {flag.dtype}; expected whole numbers, 0 good, 1 missing, 2 rejected, 3 filled"
        )
    try:
        xr.align(dataset, flag, join="exact")
        return dataset.assign({name: flag.variable})
    except ValueError as error:
        raise DataError(f"{name}: the flags are not on the coordinates of the data: {error}") from error


def _moving(dataset: xr.Dataset, variables: Mapping[str, Variable]) -> list[str]:
    """Return the variables that have dims beside those of places and layers, which must be time."""
    names = {"time", "valid_time", "date", "datetime", "timestamp"}
    return [name for name in variables if names & {str(dim).lower() for dim in dataset[name].dims}]


def _added(
    result: xr.Dataset, dataset: xr.Dataset, name: str, variable: Variable, step: str | None
) -> tuple[xr.Dataset, list[str]]:
    """Return the result with one more variable, and with its quality if the source tells any."""
    raw = dataset[name]
    changes = [] if name == variable.name else [f"renamed {name} -> {variable.name}"]
    changes += _check_units(raw, variable)
    convert, methods, more = _conversion(variable, step)
    changes += more
    flag_name = f"{variable.name}_quality"
    flag = dataset[flag_name] if flag_name in dataset else None
    values, quality, counts = screened(raw, variable, convert, flag)
    order = (
        ("time", ..., *place_dims(map(str, raw.dims))) if "time" in raw.dims else (..., *place_dims(map(str, raw.dims)))
    )
    values = values.transpose(*order)
    if values.dims != raw.dims:
        changes.append(
            f"{variable.name}: dims ({', '.join(map(str, raw.dims))}) -> ({', '.join(map(str, values.dims))})"
        )
    values.attrs = {**variable.attributes, "units": variable.handed_out}
    if "time" in raw.dims:
        values.attrs["cell_methods"] = methods
    if variable.vertical is not None:
        values.attrs["vertical_extent"] = list(variable.vertical)
    values.encoding = {}
    if quality is not None:
        values.attrs["ancillary_variables"] = flag_name
        quality = quality.transpose(*order)
        quality.attrs, quality.encoding = quality_attributes(variable.name), {}  # nothing of the source's values
        result = result.assign({flag_name: quality})
    return result.assign({variable.name: values}), [*changes, *counts]


def _check_units(raw: xr.DataArray, variable: Variable) -> list[str]:
    """Raise where the source tells other units than those declared; text that means nothing is overruled."""
    told = str(raw.attrs.get("units") or variable.units)
    try:
        same = conversion(told, variable.units).is_identity
    except UnitError as error:
        if not _is_readable(told):
            return [f"{variable.name}: the source's units {told!r} read as {variable.units!r}"]
        raise DataError(
            f"{variable.name}: the source has the units {told!r}, declared are {variable.units!r} ({error}); "
            f"declare units={told!r}"
        ) from error
    if not same:
        raise DataError(
            f"{variable.name}: the source has the units {told!r}, declared are {variable.units!r}; declare "
            f"units={told!r}, and to_units={variable.handed_out!r} to have them converted"
        )
    return []


def _is_readable(units: str) -> bool:
    try:
        conversion(units, units)
    except UnitError:
        return False
    return True


def _conversion(variable: Variable, step: str | None) -> tuple[Conversion, str, list[str]]:
    """Return the conversion to handed-out units, the cell_methods after it, and what it changes."""
    ends = (variable.units, variable.handed_out)
    text = f"{variable.name}: {ends[0]} -> {ends[1]}"
    for density in (None, WATER_DENSITY):
        for seconds in (None, parse_timestep(step).total_seconds() if step else None):
            try:
                found = conversion(*ends, density, seconds)
            except UnitError as error:
                problem = error
                continue
            return _described(variable, found, text, density, seconds)
    raise DataError(f"{variable.name}: {problem}") from problem


def _described(
    variable: Variable, found: Conversion, text: str, density: float | None, seconds: float | None
) -> tuple[Conversion, str, list[str]]:
    methods, notes = variable.cell_methods, []
    if seconds is not None:
        if variable.statistic != "sum":
            raise DataError(
                f"{text}: an amount and a rate differ by a time, and cell_methods {variable.cell_methods!r} says no "
                f"sum; declare cell_methods='time: sum'"
            )
        methods = "time: mean".join(methods.rsplit("time: sum", 1))
        notes.append(f"the sum over {seconds:g} s -> mean")
    if density is not None:
        notes.append(f"with {density:g} kg m-3")
    if found.is_identity and not notes:
        return found, methods, []
    return found, methods, [", ".join([f"{text} ({found.describe()})", *notes])]
