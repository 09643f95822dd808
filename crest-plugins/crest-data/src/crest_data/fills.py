"""Numbers that sources write for "missing", and where values look like one that nobody declared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Undeclared, one such value is an error where no bounds say it is possible.
FILLS = (-9999.0, -9999.9, -999.0, -999.9, -99999.0, -32767.0, -32768.0, -2147483647.0, -2147483648.0,
         9.969209968386869e36, 9.96921e36, 1e20, 1e30, 1e35, 1e36, -3.4028234663852886e38)  # fmt: skip
# These may be data: undeclared, an error where no bounds are given, several are the largest of all values of the
# variable, and the next is less than half of them.
LARGEST = (32767.0, 65535.0, 2147483647.0, 4294967295.0)


def is_one_of(raw: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
    """Return where raw is one of the numbers, as its type can hold them.

    >>> is_one_of(np.array([1, -9999], dtype=np.int16), (-9999.0, 1e20)).tolist()
    [False, True]
    """
    if raw.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.isin(raw, np.array(numbers, dtype=raw.dtype))
    ends = np.iinfo(raw.dtype)
    held = [int(number) for number in numbers if float(number).is_integer() and ends.min <= number <= ends.max]
    return np.isin(raw, np.array(held, dtype=raw.dtype))


def heaped(raw: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return where several values are one of the largest numbers of integers, far above all other usable ones.

    It needs all values of a variable: of a part of them the answer may be another.
    """
    numbers = raw[usable].astype(np.float64)
    largest = numbers.max(initial=0.0)
    below = numbers[numbers < largest].max(initial=0.0)
    if largest not in LARGEST or (numbers == largest).sum() < 2 or 2.0 * below > largest:
        return np.zeros_like(usable)
    return usable & (raw == largest)


def exactly(number: np.floating | np.integer) -> str:
    """Return a number as it is to be written so that it is the same number again.

    >>> exactly(np.float64(9.969209968386869e36)), exactly(np.float64(-9999.0))
    ('9.969209968386869e+36', '-9999')
    """
    short = f"{number:g}"
    return short if number.dtype.type(float(short)) == number else str(number)
