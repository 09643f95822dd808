"""The range that a source declares valid: CF's valid_range, valid_min and valid_max, in the source's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from crest_data.errors import DataError


@dataclass(frozen=True)
class ValidRange:
    """Lowest and highest valid number of a source, before its units are converted.

    >>> ValidRange(0.0, 1.0).excludes(np.array([0.5, 1.5, np.nan])).tolist()
    [False, True, False]
    """

    low: float
    high: float

    def excludes(self, values: np.ndarray) -> np.ndarray:
        """Return where values are beyond the range, as the values' own type can hold its ends; nan is not."""
        kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
        low, high = np.array([self.low, self.high], dtype=kind)
        return np.asarray((values < low) | (values > high))


def valid_range(raw: xr.DataArray, name: str) -> ValidRange | None:
    """Return what the attributes of a variable declare valid; None if they declare nothing.

    Of a variable that was packed, whole numbers are meant packed, as the file holds them, and floats unpacked.
    """
    low, high = -np.inf, np.inf
    for key in ("valid_range", "valid_min", "valid_max"):
        if key in raw.attrs:
            first, last = _unpacked(_ends(raw.attrs[key], key, name), raw)
            low, high = float(np.fmax(low, first)), float(np.fmin(high, last))
    if low > high:
        raise DataError(f"{name}: the source's valid range [{low:g}, {high:g}] holds nothing; correct or remove it")
    return None if np.isinf([low, high]).all() else ValidRange(low, high)


def _ends(told: object, key: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last number of an attribute, as it holds them; an infinite one where it tells none."""
    numbers = np.ravel(np.asarray(told))
    if numbers.dtype.kind not in "fiu" or numbers.size != (2 if key == "valid_range" else 1):
        wanted = "two numbers" if key == "valid_range" else "one number"
        raise DataError(f"{name}: the source's {key} is {told!r}; expected {wanted}: correct or remove it")
    none = np.array(np.inf)
    return (-none if key == "valid_max" else numbers[0]), (none if key == "valid_min" else numbers[-1])


def _unpacked(ends: tuple[np.ndarray, np.ndarray], raw: xr.DataArray) -> list[float]:
    """Return ends in unpacked numbers, wider by half a step of the packing, for its rounding."""
    scale, offset = float(raw.encoding.get("scale_factor", 1.0)), float(raw.encoding.get("add_offset", 0.0))
    numbers = [_wrapped(end, raw) for end in ends]
    if (scale, offset) == (1.0, 0.0) or not any(end.dtype.kind in "iu" for end in ends):
        return numbers
    numbers = [(number + side) * scale + offset for number, side in zip(numbers, (-0.5, 0.5), strict=True)]
    return numbers if scale > 0 else numbers[::-1]


def _wrapped(end: np.ndarray, raw: xr.DataArray) -> float:
    """Return an end as a number; a negative one of integers that _Unsigned says are unsigned is what its bits are."""
    unsigned = str(raw.encoding.get("_Unsigned", "")).lower() == "true"
    if not (unsigned and end.dtype.kind == "i" and end < 0):
        return float(end)
    held = np.dtype(raw.encoding.get("dtype", end.dtype))
    return float(end) + 2.0 ** (8 * (held if held.kind in "iu" else end.dtype).itemsize)
