"""Files that describe themselves by CF attributes: the attributes are taken as they are, and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from crest_core import time_statistic
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.quality import MEANINGS
from crest_data.variable import STATISTICS, Variable

MAX_BYTES = 8 * 2**30  # what is read into memory at once, unless more is allowed
_STANDARD_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COORDINATES = {"lat", "lon", "latitude", "longitude", "cell_id"}
_LONGEST_COORDINATE = 50_000_000  # values
Wanted = Sequence[str] | Mapping[str, Variable] | None


@dataclass(frozen=True)
class Reading:
    """How a file that describes itself is read: what its attributes leave open."""

    step: str | None = None
    label: str = "start"
    time_zone: str = ""  # what the file tells, else UTC
    cell_methods: str = ""  # of variables that tell none
    source: str = ""
    licence: str = ""
    citation: str = ""
    absent: tuple[str, ...] = ()
    """Variables of which parts are not there and are read as missing, so that their quality tells it."""


def conform_cf(raw: xr.Dataset, wanted: Wanted, reading: Reading, path: Path) -> xr.Dataset:
    """Return the wanted variables of a decoded dataset in the convention; all that are fields if None is given."""
    _check_zone(raw, reading, path)
    variables, left = _variables(raw, wanted, reading, path)
    flags = _flags(raw, variables, reading.absent)
    left = [name for name in left if not name.endswith("_quality")]
    notes = [*_decoded(raw, variables), *([f"not read: {', '.join(left)}"] if left else [])]
    earlier = [str(raw.attrs["changes"])] if raw.attrs.get("changes") else []
    raw = raw.assign_attrs(changes="\n".join([*earlier, *notes]))
    with told(path):
        return conform(
            raw, variables, step=reading.step, label=reading.label, flags=flags,
            time_zone=reading.time_zone or str(raw.attrs.get("time_zone", "UTC")),
            source=reading.source or _source(raw, path),
            licence=reading.licence or str(raw.attrs.get("license", raw.attrs.get("licence", ""))),
            citation=reading.citation or str(raw.attrs.get("citation", raw.attrs.get("references", ""))),
        )  # fmt: skip


def with_notes(dataset: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
    """Return the dataset with notes before what it tells of changes."""
    lines = [*notes, *filter(None, [str(dataset.attrs.get("changes", ""))])]
    return dataset.assign_attrs(changes="\n".join(lines))


@contextmanager
def told(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Name the file in an error of the data, and take errors of the file's library, `more` too, for such."""
    library: tuple[type[Exception], ...] = (OSError, RuntimeError, KeyError, ValueError, OverflowError, *more)
    try:
        yield
    except DataError as error:
        if str(error).startswith(str(path)):
            raise
        raise DataError(f"{path}: {error}") from error
    except library as error:
        raise DataError(f"{path}: cannot be read ({error}); is it cut off or damaged?") from error


def check_sizes(raw: xr.Dataset, names: Sequence[str], *, lazy: bool, max_bytes: int, path: Path) -> None:
    """Raise if coordinates, or variables that are not read lazily, or one chunk of them, are too large for memory."""
    for name, variable in raw.variables.items():
        if variable.ndim == 1 and variable.size > _LONGEST_COORDINATE and name in raw.dims:
            raise DataError(f"{path}: the coordinate {name} has {variable.size} values; expected {_LONGEST_COORDINATE}")
    needed = {name: raw[name].size * 8 for name in names}
    if lazy:
        chunks = {name: raw[name].encoding.get("chunksizes") or raw[name].encoding.get("chunks") for name in names}
        needed = {name: prod(chunk) * 8 for name, chunk in chunks.items() if chunk}
        for name, size in needed.items():
            if size > max_bytes:
                raise DataError(
                    f"{path}: one chunk of {name} is {_gigabytes(size)}, the limit is {_gigabytes(max_bytes)}"
                )
        return
    if (total := sum(needed.values())) > max_bytes:
        largest = max(needed, key=lambda name: needed[name])
        raise DataError(
            f"{path}: {_gigabytes(total)} in memory ({largest}: {raw[largest].shape}), the limit is "
            f"{_gigabytes(max_bytes)}; give chunks= to read lazily, choose variables, or raise max_bytes"
        )


def names_of(raw: xr.Dataset, wanted: Wanted) -> list[str]:
    """Return the source's names of what is wanted, those that are there."""
    names = _fields(raw)[0] if wanted is None else [*wanted]
    return [name for name in names if name in raw.variables]


def _check_zone(raw: xr.Dataset, reading: Reading, path: Path) -> None:
    """Raise where the file calls its times local and no zone was told."""
    attributes = raw["time"].attrs if "time" in raw.variables else {}
    words = [str(attributes.get(key, "")) for key in ("standard_name", "long_name")]
    if not reading.time_zone and any(re.search(r"\blocal|\blocal_time", word.lower()) for word in words):
        raise DataError(
            f"{path}: its times are called {' '.join(filter(None, words))!r}; tell their zone, as time_zone='UTC-7' or "
            f"time_zone='local standard time'"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _source(raw: xr.Dataset, path: Path) -> str:
    title = str(raw.attrs.get("title", raw.attrs.get("source", "")))
    return f"{path.name}: {title}" if title else path.name


def _variables(raw: xr.Dataset, wanted: Wanted, reading: Reading, path: Path) -> tuple[dict[str, Variable], list[str]]:
    """Return the variables by the source's names, and the names of those that are left."""
    if isinstance(wanted, str):
        raise DataError(f"variables {wanted!r}: expected a list of names, as [{wanted!r}]")
    if isinstance(wanted, Mapping):
        return dict(wanted), []
    fields, left = _fields(raw)
    names = fields if wanted is None else list(wanted)
    if not names:
        raise DataError(f"{path}: no variable of numbers; it holds {', '.join(map(str, raw.variables)) or 'nothing'}")
    if absent := [name for name in names if name not in raw.variables]:
        raise DataError(f"{path}: no variables {absent}; it holds {', '.join(map(str, raw.variables))}")
    return {name: _described(name, raw[name], reading, path) for name in names}, left if wanted is None else []


def _fields(raw: xr.Dataset) -> tuple[list[str], list[str]]:
    """Return the names of variables that are fields of numbers, and of those that are not."""
    bounds = {variable.attrs.get("bounds", variable.encoding.get("bounds")) for variable in raw.variables.values()}
    fields: list[str] = []
    left: list[str] = []
    for name, variable in raw.data_vars.items():
        is_place = variable.attrs.get("standard_name") in ("latitude", "longitude")
        if name in bounds or is_place or str(name).lower() in _COORDINATES:
            continue
        is_field = variable.dtype.kind in "fiu" and variable.ndim and "flag_values" not in variable.attrs
        (fields if is_field else left).append(str(name))
    return fields, left


def _described(name: str, raw: xr.DataArray, reading: Reading, path: Path) -> Variable:
    """Return the variable that CF attributes describe; DataError if they leave open what it is."""
    if raw.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name} is of {raw.dtype}, expected numbers")
    units = raw.attrs.get("units")
    if not units:
        raise DataError(f"{path}: {name} has no units; give a Variable for it, {{{name!r}: Variable(name, units)}}")
    methods = str(raw.attrs.get("cell_methods", ""))
    methods = methods if time_statistic(methods) else reading.cell_methods
    moves = {str(dim).lower() for dim in raw.dims} & {"time", "valid_time", "date", "datetime", "timestamp"}
    if moves and time_statistic(methods) not in STATISTICS:
        raise DataError(
            f"{path}: {name} does not tell what its values are over time (cell_methods "
            f"{raw.attrs.get('cell_methods', '')!r}); give cell_methods='time: mean' or another of "
            f"{', '.join(STATISTICS)}"
        )
    standard = str(raw.attrs.get("standard_name", ""))
    positive = str(raw.attrs.get("positive", ""))
    try:
        return Variable(
            _clean(name), str(units), standard if _STANDARD_NAME.fullmatch(standard) and standard != "unknown" else "",
            cell_methods=methods or "time: point", long_name=str(raw.attrs.get("long_name", "")),
            positive=positive if positive in ("up", "down") else "", vertical=_extent(raw),
            comment=str(raw.attrs.get("comment", "")), point_time=str(raw.attrs.get("point_time", "")),
        )  # fmt: skip
    except DataError as error:
        raise DataError(f"{path}: {error}; give a Variable for it, {{{name!r}: Variable(name, units)}}") from error


def _extent(raw: xr.DataArray) -> tuple[float, float] | None:
    """Return the vertical extent that CREST writes; None if there is none."""
    numbers = np.ravel(raw.attrs.get("vertical_extent", ()))
    return (float(numbers[0]), float(numbers[1])) if numbers.size == 2 and numbers.dtype.kind in "fiu" else None


def _clean(name: str) -> str:
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return plain if plain[:1].isalpha() else f"v_{plain.lstrip('_')}"


def _fills(raw: xr.DataArray) -> list[float]:
    """Return the fill values that xarray has turned into nan."""
    marks = [raw.encoding.get(key) for key in ("_FillValue", "missing_value")]
    return [float(mark) for mark in np.ravel([mark for mark in marks if mark is not None]) if not np.isnan(mark)]


def _flags(raw: xr.Dataset, variables: Mapping[str, Variable], absent: Sequence[str]) -> dict[str, xr.DataArray]:
    """Return the quality that the file has in the words of the convention; zeros where a fill value told of nan."""
    flags = {}
    for name, variable in variables.items():
        if name not in raw.variables:
            continue
        linked = str(raw[name].attrs.get("ancillary_variables", ""))
        if linked in raw.variables and raw[linked].attrs.get("flag_meanings") == MEANINGS:
            flags[variable.name] = _codes(raw[linked])
        elif name in absent or _fills(raw[name]):
            flags[variable.name] = xr.zeros_like(raw[name], dtype=np.uint8)
    return flags


def _codes(flag: xr.DataArray) -> xr.DataArray:
    """Return the codes as the file holds them; xarray has turned a fill value among them into nan."""
    if flag.dtype.kind != "f":
        return flag
    return flag.fillna(next(iter(_fills(flag)), -1.0)).astype(np.int64)


def _decoded(raw: xr.Dataset, variables: Mapping[str, Variable]) -> list[str]:
    """Return a line for each variable that was unpacked or masked when the file was opened."""
    notes = []
    for name, variable in variables.items():
        if name not in raw.variables:
            continue
        held: dict[str, Any] = raw[name].encoding
        if held.get("scale_factor", 1.0) != 1.0 or held.get("add_offset", 0.0) != 0.0:
            scale, offset = float(held.get("scale_factor", 1.0)), float(held.get("add_offset", 0.0))
            notes.append(f"{variable.name}: unpacked from {held.get('dtype')}, x {scale:.10g} + {offset:.10g}")
        if marks := _fills(raw[name]):
            notes.append(f"{variable.name}: {', '.join(f'{mark:g}' for mark in dict.fromkeys(marks))} -> missing")
    return notes
