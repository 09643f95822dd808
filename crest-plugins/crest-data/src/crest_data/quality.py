"""Quality: numbers that mean missing become nan, impossible ones are refused, and every nan has its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import xarray as xr

from crest_core import Conversion
from crest_data.errors import DataError
from crest_data.fills import FILLS, LARGEST, exactly, heaped, is_one_of
from crest_data.valid_range import ValidRange, valid_range
from crest_data.variable import Variable

GOOD, MISSING, REJECTED, FILLED = range(4)
MEANINGS = "good missing rejected filled"


@dataclass(frozen=True)
class Rules:
    """What values of a variable are judged by."""

    variable: Variable
    fills: tuple[float, ...]
    limits: ValidRange | None
    convert: Conversion
    blocks: int
    """Number of blocks (dask) that are judged one by one when they are read; 0 of values in memory."""


def screened(
    raw: xr.DataArray, variable: Variable, convert: Conversion, flag: xr.DataArray | None
) -> tuple[xr.DataArray, xr.DataArray | None, list[str]]:
    """Return values in handed-out units with nan for missing, their quality, and what was changed.

    Values that are read lazily (dask) are screened when they are read, and not counted.
    """
    fills = _fill_values(raw, variable)
    limits = valid_range(raw, variable.name)
    keeps_quality = flag is not None or bool(fills) or variable.reject or limits is not None
    kind = raw.dtype if raw.dtype.kind == "f" else np.dtype(np.float64)
    given = xr.zeros_like(raw, dtype=np.uint8) if flag is None else flag
    rules = Rules(variable, fills, limits, convert, prod(map(len, raw.chunks)) if raw.chunks else 0)
    quality = _apply(lambda data, code: quality_of(data, code, rules), np.uint8, raw, given)
    values = _apply(lambda data, code: values_of(data, code, convert).astype(kind, copy=False), kind, raw, quality)
    changes = []
    if limits is not None:
        changes.append(
            f"{variable.name}: beyond [{limits.low:g}, {limits.high:g}], the source's valid range -> rejected"
        )
    if raw.chunks is None:
        changes += _counted(raw, quality, variable, fills)
    else:
        changes += _not_counted(variable, fills)
    return values, quality if keeps_quality else None, changes


def quality_of(raw: np.ndarray, flag: np.ndarray, rules: Rules) -> np.ndarray:
    """Return the quality of raw values, uint8; DataError on a value that is neither missing nor possible."""
    if (unknown := flag[(flag < GOOD) | (flag > FILLED)]).size:
        raise DataError(
            f"{rules.variable.name}: a flag is {int(unknown[0])}; expected 0 good, 1 missing, 2 rejected or 3 filled: "
            f"translate the source's own flags"
        )
    missing = is_one_of(raw, rules.fills) | np.isnan(raw) if rules.fills else np.isnan(raw)
    invalid = np.zeros_like(missing) if rules.limits is None else rules.limits.excludes(raw) & ~missing
    outside = _outside(raw, ~(missing | invalid | (flag == REJECTED)), rules)
    quality = np.where(missing, np.where(flag == REJECTED, REJECTED, MISSING), flag)
    return np.where(outside | invalid, REJECTED, quality).astype(np.uint8)


def values_of(raw: np.ndarray, quality: np.ndarray, convert: Conversion) -> np.ndarray:
    """Return values in handed-out units, float64, nan where missing or rejected."""
    usable = (quality == GOOD) | (quality == FILLED)
    return np.where(usable, convert(np.where(usable, raw, 0).astype(np.float64)), np.nan)


def quality_attributes(name: str) -> dict[str, object]:
    """Return the CF attributes of the quality of a variable."""
    flags = {"flag_values": np.arange(4, dtype=np.uint8), "flag_meanings": MEANINGS}
    return {"long_name": f"quality of {name}", "standard_name": "quality_flag", **flags}


def _apply(function: Callable[..., np.ndarray], kind: np.dtype | type, *arrays: xr.DataArray) -> xr.DataArray:
    with xr.set_options(arithmetic_join="exact"):
        return xr.apply_ufunc(function, *arrays, dask="parallelized", output_dtypes=[kind])


def _fill_values(raw: xr.DataArray, variable: Variable) -> tuple[float, ...]:
    """Return the numbers that mean missing: declared ones and those of the attributes."""
    if packing := sorted({"scale_factor", "add_offset"} & set(raw.attrs)):
        raise DataError(
            f"{variable.name}: packed numbers ({raw.dtype} with {', '.join(packing)}); open the file with "
            f"mask_and_scale=True"
        )
    if raw.dtype.kind not in "fiu":
        raise DataError(f"{variable.name}: expected numbers, got {raw.dtype}; give spans of time in a unit")
    told = [raw.attrs[key] for key in ("_FillValue", "missing_value") if key in raw.attrs]
    marks = [float(mark) for mark in np.ravel([*variable.missing, *told])]
    return tuple(dict.fromkeys(mark for mark in marks if not np.isnan(mark)))


def _outside(raw: np.ndarray, usable: np.ndarray, rules: Rules) -> np.ndarray:
    """Return where a usable value is impossible; DataError unless the variable says that such values are rejected."""
    variable = rules.variable
    values = rules.convert(np.where(usable, raw, 0).astype(np.float64))
    low, high = variable.bounds or (-np.inf, np.inf)
    outside = usable & ~((values >= low) & (values <= high) & np.isfinite(values))
    suspect = _suspect(raw, usable, outside, rules)
    if variable.reject:
        return outside | suspect
    if suspect.any():
        mark = exactly(raw[suspect][0])
        raise DataError(
            f"{_first(raw, suspect, rules)} looks like a fill value; declare it, missing=({mark},), or give bounds it "
            f"lies within"
        )
    if outside.any():
        raise DataError(
            f"{_first(raw, outside, rules)}: expected finite values within [{low:g}, {high:g}] {variable.handed_out}; "
            f"correct the units, declare missing=, or ask for reject=True"
        )
    return outside


def _suspect(raw: np.ndarray, usable: np.ndarray, outside: np.ndarray, rules: Rules) -> np.ndarray:
    """Return where usable values look like fill values that nobody declared; never within bounds."""
    if rules.variable.bounds is not None:
        return outside & is_one_of(raw, FILLS) if outside.any() else outside
    suspect = usable & is_one_of(raw, FILLS)
    return suspect if rules.blocks else suspect | heaped(raw, usable)


def _first(raw: np.ndarray, bad: np.ndarray, rules: Rules) -> str:
    """Return the first bad value, where it is, and how many there are."""
    where = f"{[int(index[0]) for index in np.nonzero(bad)]}{' of the block that is read' if rules.blocks > 1 else ''}"
    name, units = rules.variable.name, rules.variable.units
    return f"{name}: {raw[bad][0]:g} {units} at index {where} ({int(bad.sum())} such values)"


def _counted(raw: xr.DataArray, quality: xr.DataArray, variable: Variable, fills: Sequence[float]) -> list[str]:
    """Return a line for each number that became missing and for what was rejected, with counts."""
    changes = []
    for mark in fills:
        if count := int((is_one_of(raw.values, (mark,)) & (quality.values == MISSING)).sum()):
            changes.append(f"{variable.name}: {mark:g} -> missing, {count} values")
    if count := int(((quality.values == REJECTED) & ~np.isnan(raw.values)).sum()):
        changes.append(f"{variable.name}: {count} values rejected")
    return changes


def _not_counted(variable: Variable, fills: Sequence[float]) -> list[str]:
    """Return a line for what is done, or left undone, because values are read block by block."""
    changes = [f"{variable.name}: {_listed(fills)} -> missing (read lazily, not counted)"] if fills else []
    if variable.bounds is None:
        largest = ", ".join(f"{number:.0f}" for number in LARGEST)
        changes.append(
            f"{variable.name}: read lazily, not searched for undeclared fills of {largest}; give bounds, or missing="
        )
    return changes


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
