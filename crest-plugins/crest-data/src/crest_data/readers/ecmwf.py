"""ERA5 and ERA5-Land: layouts joined, accumulations made means, one convention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import TimeError, parse_timestep
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.handshake import merge
from crest_data.readers.accumulation import check_hourly, hourly_sums, without_traces
from crest_data.readers.choice import near
from crest_data.readers.era5_layout import check_spacing, joined, opened
from crest_data.readers.era5_variables import DOWNWARD, ERA5, GROWS
from crest_data.readers.gridded import Wanted, check_sizes, told, with_notes
from crest_data.variable import Variable

LICENCE = "CC-BY-4.0"
_STEP_TYPES = {"instant": "point", "accum": "sum", "avg": "mean", "max": "maximum", "min": "minimum"}


def read_ecmwf(
    path: str | Path | Sequence[str | Path],
    variables: Wanted,
    *,
    land: bool,
    step: str,
    sampled: bool,
    chunks: Mapping[str, int] | None,
    max_bytes: int,
    citation: str,
) -> xr.Dataset:
    """Return ERA5, or with `land` ERA5-Land whose accumulations begin at 00 UTC, in the convention."""
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    if not paths:
        raise DataError("no files given")
    wanted = _wanted(variables)
    groups: dict[frozenset[str], list[xr.Dataset]] = {}
    notes: list[str] = []
    files: list[xr.Dataset] = []
    for one in paths:
        raw, more = opened(one, chunks)
        files.append(raw)
        names = [str(name) for name in raw.data_vars if name in wanted]
        check_sizes(raw, names, lazy=chunks is not None, max_bytes=max_bytes, path=Path(one))
        left = [str(name) for name in raw.data_vars if name not in wanted]
        notes += [*more, *([f"not read: {', '.join(left)}"] if left else [])]
        if names:
            groups.setdefault(frozenset(names), []).append(raw[names])
    _check_found(variables, wanted, groups, paths)
    with told(Path(paths[0])):
        wholes = [joined(parts) for parts in groups.values()]
        held = [_conformed(whole, wanted, land, step, sampled, citation) for whole in wholes]
        merged = with_notes(merge(*held), list(dict.fromkeys(notes)))
        if chunks is not None:
            return merged
        merged.load()
    for raw in files:
        raw.close()
    return merged


def _wanted(variables: Wanted) -> dict[str, Variable]:
    """Return what is read, by short name."""
    if variables is None:
        return ERA5
    if isinstance(variables, str):
        raise DataError(f"variables {variables!r}: expected a list of short names, as [{variables!r}]")
    if isinstance(variables, Mapping):
        return dict(variables)
    if unknown := [name for name in variables if name not in ERA5]:
        raise DataError(
            f"the short names {unknown} are not known{near(unknown[0], ERA5)}; known are {', '.join(ERA5)}; give "
            f"others as {{name: Variable(...)}}"
        )
    return {name: ERA5[name] for name in variables}


def _check_found(
    variables: Wanted, wanted: Mapping[str, Variable], groups: Mapping[frozenset[str], object], paths: Sequence[object]
) -> None:
    """Raise if nothing, or not all that was asked for, is in the files."""
    found = {name for names in groups for name in names}
    absent = [name for name in wanted if name not in found]
    if not found or (variables is not None and absent):
        raise DataError(f"{paths[0]}: the files hold none of {', '.join(absent)}; check what was downloaded")


def _conformed(
    raw: xr.Dataset, wanted: Mapping[str, Variable], land: bool, step: str, sampled: bool, citation: str
) -> xr.Dataset:
    """Return one group of variables in the convention."""
    try:
        check_spacing(raw["time"].values, np.timedelta64(parse_timestep(step)), sampled=sampled)
    except TimeError as error:
        raise DataError(f"step: {error}") from error
    variables = {str(name): wanted[str(name)] for name in raw.data_vars}
    notes, flags, data = [], {}, {}
    for name, variable in variables.items():
        _check_step_type(name, raw[name], variable)
        data[name], more = (raw[name], []) if name not in GROWS else without_traces(raw[name], variable.name)
        notes += [*_packed(raw[name], variable), *more]
        if land and variable.statistic == "sum":
            data[name], more = hourly_sums(data[name], variable.name, grows=name in GROWS)
            notes += more
            flags[variable.name] = xr.zeros_like(data[name], dtype=np.uint8)
        elif variable.statistic == "sum" and name in GROWS:
            check_hourly(data[name], variable.name)
        if name in DOWNWARD and variable.positive == "up":
            data[name] = (-data[name]).assign_attrs(raw[name].attrs)
            notes.append(f"{variable.name}: sign turned, positive down -> positive up")
    held = conform(
        raw.assign(data), variables, step=step, label="end", sampled=sampled, flags=flags,
        licence=LICENCE, citation=citation, source="ERA5-Land, ECMWF" if land else "ERA5, ECMWF",
    )  # fmt: skip
    return with_notes(held, notes)


def _packed(raw: xr.DataArray, variable: Variable) -> list[str]:
    held = raw.encoding
    if held.get("scale_factor", 1.0) == 1.0 and held.get("add_offset", 0.0) == 0.0:
        return []
    scale, offset = float(held.get("scale_factor", 1.0)), float(held.get("add_offset", 0.0))
    return [f"{variable.name}: unpacked from {held.get('dtype')}, x {scale:.10g} + {offset:.10g}"]


def _check_step_type(name: str, raw: xr.DataArray, variable: Variable) -> None:
    """Raise if the file says another statistic than the variable."""
    told_type = str(raw.attrs.get("GRIB_stepType", ""))
    if told_type in _STEP_TYPES and _STEP_TYPES[told_type] != variable.statistic:
        raise DataError(
            f"{name}: the file says stepType {told_type!r}, expected 'time: {variable.statistic}'; give a Variable "
            f"for it with cell_methods='time: {_STEP_TYPES[told_type]}'"
        )
