"""FortranLibrary: a shared library with CREST C interface 1, called on numpy arrays."""

from __future__ import annotations

import hashlib
import os
import weakref
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crest_core import ComponentError
from crest_fortran.child import ChildProcess
from crest_fortran.description import LibraryDescription, offsets
from crest_fortran.inprocess import InProcess
from crest_fortran.protocol import STEP

ISOLATIONS = ("process", "none")
_KEPT = 8  # numbers of columns whose arrays are kept
Array = NDArray[np.float64]


class Arrays(NamedTuple):
    """The memory of a step and its cotangents, each (rows, columns), fields one after the other.

    A step reads the first three and writes the next two; a pullback reads the first three and the last two, and writes
    the three between. A library without a pullback has cotangents of no rows.
    """

    parameters: Array
    inputs: Array
    state_in: Array
    state_out: Array
    outputs: Array
    d_parameters: Array
    d_inputs: Array
    d_state_in: Array
    d_state_out: Array
    d_outputs: Array


class FortranLibrary:
    """A library in a child process (isolation="process") or in this one (isolation="none": fast, no net).

    What ends or blocks the child is a ComponentError, and the next call starts a fresh child. Copies, also in
    forked processes and unpickled ones, have a child of their own. Threads that share a library hold `lock`
    from `arrays` until they have read the results.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        isolation: str = "process",
        deadline: float = 60.0,
        opaque: bool = False,
    ) -> None:
        if isolation not in ISOLATIONS:
            raise ComponentError(f"isolation {isolation!r} is not one of {', '.join(map(repr, ISOLATIONS))}")
        if not deadline > 0:
            raise ComponentError(f"deadline {deadline!r}: expected seconds above 0")
        self._prepare(Path(path).resolve(), isolation, deadline, "")
        self.sha256 = self._hash()
        found = self._open().description
        self.description: LibraryDescription = replace(found, opaque=found.opaque or opaque)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = (self.path, self.isolation, self.deadline, self.sha256, self.description)
        return _rebuild, kept

    @property
    def who(self) -> str:
        """Return name, version, file and hash for messages."""
        name = f"{self.description.name} {self.description.version}".strip()
        return f"{name} ({self.path}, sha256 {self.sha256[:12]})"

    @property
    def lock(self) -> RLock:
        """Return the lock of this library in this process."""
        self._leave_parent()
        return self._lock

    @property
    def child(self) -> ChildProcess | None:
        """Return the running child process, None if there is none."""
        return self._runner if isinstance(self._runner, ChildProcess) else None

    def arrays(self, columns: int) -> Arrays:
        """Return the memory of the next run: fill parameters, inputs and state_in; valid until a run fails."""
        self._leave_parent()
        self._columns = columns
        found = self._kept.get(columns)
        return self._make(columns) if found is None else found

    def run(self, dt: float, task: int = STEP) -> None:
        """Advance the columns of the last `arrays` by dt seconds, or pull cotangents back through that step."""
        runner, columns = self._runner, self._columns
        if runner is None:
            raise ComponentError(f"{self.who}: there is no memory to run on; call arrays(columns)")
        self.calls += 1
        try:
            status, text = runner.call(self.calls, task, columns, dt, self.deadline)
        except ComponentError as error:
            self._lose()
            raise ComponentError(
                f"{self.who}: call {self.calls} with {columns} columns {error}; the arguments are "
                f"unharmed, {self._advice()}"
            ) from error
        except BaseException:
            self._lose()
            raise
        if status:
            raise ComponentError(
                f"{self.who}: call {self.calls} with {columns} columns returned status {status}"
                f"{f' ({text})' if text else ''}, expected 0"
            )

    def call(self, parameters: Array, inputs: Array, state: Array, dt: float) -> tuple[Array, Array]:
        """Return (outputs, new state) as new arrays, all (rows, columns)."""
        with self.lock:
            arrays = self.arrays(inputs.shape[-1])
            arrays.parameters[...] = parameters
            arrays.inputs[...] = inputs
            arrays.state_in[...] = state
            self.run(dt)
            return arrays.outputs.copy(), arrays.state_out.copy()

    def restart(self) -> None:
        """End the child process; the next call starts a fresh one, also for an opaque library."""
        self._drop()
        self._forgotten = False

    def close(self) -> None:
        """End the child process and free its memory."""
        self._drop()

    def _prepare(self, path: Path, isolation: str, deadline: float, sha256: str) -> None:
        self.path, self.isolation, self.deadline, self.sha256 = path, isolation, deadline, sha256
        self.calls = 0
        self._lock, self._owner = RLock(), os.getpid()
        self._runner: ChildProcess | InProcess | None = None
        self._memory: Any = None
        self._kept: dict[int, Arrays] = {}
        self._columns = 0
        self._forgotten = False

    def _make(self, columns: int) -> Arrays:
        if columns < 1:
            raise ComponentError(f"{self.who}: {columns} columns, expected 1 or more")
        runner = self._runner or self._open()
        rows = self.description.rows()
        places, _ = offsets(rows, columns)
        memory = runner.memory(columns)
        if memory is not self._memory or len(self._kept) >= _KEPT:
            self._kept.clear()
        self._memory = memory
        arrays = Arrays(
            *(
                np.frombuffer(memory, np.float64, count * columns, place).reshape(count, columns)
                for count, place in zip(rows, places, strict=True)
            )
        )
        self._kept[columns] = arrays
        return arrays

    def _open(self) -> ChildProcess | InProcess:
        if self._forgotten:
            raise ComponentError(
                f"{self.who}: its process ended and took the hidden state of this opaque library "
                f"along; call restart() to begin anew"
            )
        if self._hash() != self.sha256:
            raise ComponentError(f"{self.who}: the file changed since it was opened; open it again")
        try:
            runner: ChildProcess | InProcess
            if self.isolation == "process":
                runner = ChildProcess(str(self.path), self.deadline)
            else:
                runner = InProcess(str(self.path))
        except ComponentError as error:
            raise ComponentError(f"{self.path} cannot be used as a component: {error}") from error
        self._runner = runner
        self._finalizer = weakref.finalize(self, runner.close)
        return runner

    def _leave_parent(self) -> None:
        """In a fork, let go of the child of the process that was forked."""
        if self._owner != os.getpid():
            self._lock, self._owner = RLock(), os.getpid()
            if self._runner is not None and self.isolation == "process":
                self._lose()

    def _lose(self) -> None:
        self._forgotten = self.description.opaque
        self._drop()

    def _drop(self) -> None:
        if self._runner is not None:
            self._finalizer()
            self._runner, self._memory = None, None
            self._kept.clear()

    def _advice(self) -> str:
        if self.description.opaque:
            return "its hidden state is lost: call restart() to begin anew"
        return "the last good state is intact and the next call starts a fresh process"

    def _hash(self) -> str:
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise ComponentError(
                f"{self.path} cannot be read: {error.strerror}; give the path of a shared library"
            ) from error


def _rebuild(
    path: Path, isolation: str, deadline: float, sha256: str, description: LibraryDescription
) -> FortranLibrary:
    library = FortranLibrary.__new__(FortranLibrary)
    library._prepare(path, isolation, deadline, sha256)
    library.description = description
    return library
