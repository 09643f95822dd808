"""What BMI functions return, as the type that BMI says: ComponentError, with the function's name, for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np

from crest_core import ComponentError


def number(call: str, answer: Any) -> float:
    """Return an answer that is one real number, nan and inf included."""
    if not isinstance(answer, int | float | np.ndarray | np.number) or isinstance(answer, bool):
        raise ComponentError(f"{call} gave {answer!r}, expected a number")
    found = np.asarray(answer)
    if found.size != 1 or found.dtype.kind not in "iuf":
        raise ComponentError(f"{call} gave {answer!r}, expected a number")
    return float(found.item())


def whole(call: str, answer: Any, least: int) -> int:
    """Return an answer that is one whole number, not below `least`."""
    found = number(call, answer)
    if not found.is_integer() or found < least:
        raise ComponentError(f"{call} gave {answer!r}, expected a whole number not below {least}")
    return int(found)


def names(call: str, answer: Any) -> list[str]:
    """Return an answer that is names, in a tuple or list."""
    if not isinstance(answer, tuple | list | np.ndarray) or not all(isinstance(one, str) for one in answer):
        raise ComponentError(f"{call} gave {answer!r}, expected names; give them in inputs= and outputs=")
    return [str(one) for one in answer]
