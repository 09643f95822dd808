"""Quality: numbers that mean missing become nan, impossible ones are refused, and every nan has its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from crest_core import Conversion
from crest_data.errors import DataError
from crest_data.valid_range import ValidRange, valid_range
from crest_data.variable import Variable

GOOD, MISSING, REJECTED, FILLED = range(4)
MEANINGS = "good missing rejected filled"
# Numbers that sources write for "missing"; undeclared, one such value is an error where no bounds say it is possible.
FILLS = (-9999.0, -9999.9, -999.0, -999.9, -99999.0, -32767.0, -32768.0, -2147483647.0, -2147483648.0,
         9.969209968386869e36, 9.96921e36, 1e20, 1e30, 1e35, 1e36, -3.4028234663852886e38)  # fmt: skip
# Such numbers that may be data: undeclared, an error where no bounds are given, several are the largest of all values
# that are read at once, and the next is less than half of them.
_LARGEST = (32767.0, 65535.0, 2147483647.0, 4294967295.0)


@dataclass(frozen=True)
class Rules:
    """What values of a variable are judged by."""

    variable: Variable
    fills: tuple[float, ...]
    limits: ValidRange | None
    convert: Conversion
    whole: bool
    """Whether all values are judged at once, and not a block of them (dask), when it is read."""


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
    rules = Rules(variable, fills, limits, convert, whole=raw.chunks is None)
    quality = _apply(lambda data, code: quality_of(data, code, rules), np.uint8, raw, given)
    values = _apply(lambda data, code: values_of(data, code, convert).astype(kind, copy=False), kind, raw, quality)
    changes = []
    if limits is not None:
        changes.append(
            f"{variable.name}: beyond [{limits.low:g}, {limits.high:g}], the source's valid range -> rejected"
        )
    if rules.whole:
        changes += _counted(raw, quality, variable, fills)
    elif fills:
        changes.append(f"{variable.name}: {_listed(fills)} -> missing (read lazily, not counted)")
    return values, quality if keeps_quality else None, changes


def quality_of(raw: np.ndarray, flag: np.ndarray, rules: Rules) -> np.ndarray:
    """Return the quality of raw values, uint8; DataError on a value that is neither missing nor possible."""
    if (unknown := flag[(flag < GOOD) | (flag > FILLED)]).size:
        raise DataError(
            f"{rules.variable.name}: a flag is {int(unknown[0])}; expected 0 good, 1 missing, 2 rejected or 3 filled: "
            f"translate the source's own flags"
        )
    missing = _is_one_of(raw, rules.fills) | np.isnan(raw) if rules.fills else np.isnan(raw)
    invalid = np.zeros_like(missing) if rules.limits is None else rules.limits.excludes(raw) & ~missing
    outside = _outside(raw, missing | invalid | (flag == REJECTED), rules)
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


def _is_one_of(raw: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
    """Return where raw is one of the numbers, as its type can hold them."""
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.isin(raw, np.array(numbers, dtype=raw.dtype))
    ends = np.iinfo(raw.dtype)
    held = [int(number) for number in numbers if float(number).is_integer() and ends.min <= number <= ends.max]
    return np.isin(raw, np.array(held, dtype=raw.dtype))


def _outside(raw: np.ndarray, excused: np.ndarray, rules: Rules) -> np.ndarray:
    """Return where a value is impossible; DataError unless the variable says that such values are rejected."""
    variable = rules.variable
    values = rules.convert(np.where(excused, 0, raw).astype(np.float64))
    low, high = variable.bounds or (-np.inf, np.inf)
    outside = ~excused & ~((values >= low) & (values <= high) & np.isfinite(values))
    suspect = np.zeros_like(outside)
    if variable.bounds is None or outside.any():
        suspect = ~excused & _is_one_of(raw, FILLS) & (outside | (variable.bounds is None))
    if variable.bounds is None:
        suspect |= _heaped(raw, excused)
    bad = suspect if suspect.any() and not variable.reject else outside
    if not bad.any() or variable.reject:
        return outside | suspect
    where = f"{[int(index[0]) for index in np.nonzero(bad)]}{'' if rules.whole else ' of the block that is read'}"
    said = f"{variable.name}: {raw[bad][0]:g} {variable.units} at index {where} ({int(bad.sum())} such values)"
    if suspect.any():
        mark = _exactly(raw[bad][0])
        raise DataError(f"{said} looks like a fill value; declare it, missing=({mark},), or give bounds it lies within")
    expected = f"finite values within [{low:g}, {high:g}] {variable.handed_out}"
    raise DataError(f"{said}: expected {expected}; correct the units, declare missing=, or ask for reject=True")


def _heaped(raw: np.ndarray, excused: np.ndarray) -> np.ndarray:
    """Return where several values are one of the largest numbers of integers, far above all others."""
    usable = raw[~excused].astype(np.float64)
    largest = usable.max(initial=0.0)
    below = usable[usable < largest].max(initial=0.0)
    if largest not in _LARGEST or (usable == largest).sum() < 2 or 2.0 * below > largest:
        return np.zeros_like(excused)
    return ~excused & (raw == largest)


def _exactly(number: np.floating | np.integer) -> str:
    """Return a number as it is to be written so that it is the same number again."""
    short = f"{number:g}"
    return short if number.dtype.type(float(short)) == number else str(number)


def _counted(raw: xr.DataArray, quality: xr.DataArray, variable: Variable, fills: Sequence[float]) -> list[str]:
    """Return a line for each number that became missing and for what was rejected, with counts."""
    changes = []
    for mark in fills:
        if count := int(_is_one_of(raw.values, (mark,)).sum()):
            changes.append(f"{variable.name}: {mark:g} -> missing, {count} values")
    if count := int(((quality.values == REJECTED) & ~np.isnan(raw.values)).sum()):
        changes.append(f"{variable.name}: {count} values rejected")
    return changes


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
