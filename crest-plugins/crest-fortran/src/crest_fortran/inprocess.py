"""InProcess: a library called in this very process; the fast path, on which a crash is a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crest_core import ComponentError
from crest_fortran.description import offsets
from crest_fortran.native import NativeLibrary, PointerCache

_DONE = (0, "")
_ALIGNMENT = 64  # bytes


class InProcess:
    """The same calls as ChildProcess, without a child: no deadline, and STOP ends Python."""

    def __init__(self, path: str) -> None:
        try:
            self._native = NativeLibrary(path)
        except (OSError, ValueError) as error:
            raise ComponentError(str(error)) from error
        self.description, self._functions = self._native.description, self._native.functions
        self._rows = self.description.rows()
        self._view: NDArray[np.uint8] = np.empty(0, np.uint8)

    def memory(self, columns: int) -> Any:
        """Return the memory, made larger if so many columns need it."""
        _, needed = offsets(self._rows, columns)
        if needed > self._view.size:
            raw = np.zeros(max(needed, 2 * self._view.size) + _ALIGNMENT, np.uint8)
            first = -raw.ctypes.data % _ALIGNMENT
            self._view = raw[first : raw.size - _ALIGNMENT + first]
            self._pointers = PointerCache(self._rows, self._view)
        return self._view

    def call(self, number: int, task: int, columns: int, dt: float, deadline: float) -> tuple[int, str]:
        """Run one step or pullback and return (status, message); the deadline cannot be kept here."""
        status = self._functions[task](columns, dt, *self._pointers.get(columns)[task])
        return (status, self._native.message(status)) if status else _DONE

    def close(self) -> None:
        """Do nothing: an open library stays open as long as the process."""
