"""What a run has written, in words, for the end of `crest run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xarray as xr


def summary(
    results: xr.Dataset, path: Path | str, *, restart: Path | None, record: Path | None, stored: bool = False
) -> str:
    """Return files, time span, the shape and units of each field, sums of the files read, and how to open the results.

    >>> time = xr.Variable("time", xr.date_range("2001-01-01", periods=2).values)
    >>> bounds = ("time", "bnds"), xr.date_range("2001-01-01", periods=3).values[[[0, 1], [1, 2]]]
    >>> storage = ("time", "cell"), [[1.0], [2.0]], {"units": "mm"}
    >>> run = xr.Dataset({"storage": storage}, {"time": time, "time_bnds": bounds})
    >>> print(summary(run, Path("out.nc"), restart=Path("end.safetensors"), record=None))
    out.nc: 2 steps, 2001-01-01 to 2001-01-03
      storage  time 2, cell 1  mm
    end.safetensors: the state at the end, to go on from (the key resume)
    next, in Python: xarray.open_dataset("out.nc")
    """
    shapes = {name: ", ".join(f"{dim} {size}" for dim, size in field.sizes.items()) for name, field in _fields(results)}
    name_width, shape_width = (max(map(len, texts), default=0) for texts in (shapes, shapes.values()))
    lines = [f"{path}: {results.sizes['time']} steps, {_span(results)}"]
    for name, shape in shapes.items():
        units = results[name].attrs.get("units", "")
        lines.append(f"  {name:{name_width}}  {shape:{shape_width}}  {units}".rstrip())
    lines += [f"{key}: sha256 {found}" for key, found in json.loads(results.attrs.get("files", "{}")).items()]
    if restart:
        lines.append(f"{restart}: the state at the end, to go on from (the key resume)")
    if record:
        lines.append(f"{record}: versions, hashes, seed and the run itself")
    if stored:
        return "\n".join([*lines, f"next: crest store info {path}, crest plot {path} FIELD"])
    return "\n".join([*lines, f'next, in Python: xarray.open_dataset("{path}")'])


def _fields(results: xr.Dataset) -> list[tuple[str, xr.DataArray]]:
    return [(str(name), field) for name, field in results.data_vars.items()]


def _span(results: xr.Dataset) -> str:
    """Return the start of the first interval and the end of the last; without the hours where both are midnight."""
    if not results.sizes["time"]:
        return "no interval is complete yet"
    bounds = results["time_bnds"].values
    start, end = (_date(value) for value in (bounds[0, 0], bounds[-1, 1]))
    if start.endswith("00:00") and end.endswith("00:00"):
        start, end = start[:-6], end[:-6]
    return f"{start} to {end}"


def _date(value: Any) -> str:
    return str(value).replace("T", " ")[:16]  # of numpy and of cftime, down to the minute
