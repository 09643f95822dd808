"""ChildProcess: a library that runs in a process of its own, behind shared memory and a deadline."""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from crest_core import ComponentError
from crest_fortran.description import LibraryDescription, from_json, offsets
from crest_fortran.protocol import BROKEN, COMMAND, REPLY

_WORKER = Path(__file__).with_name("_worker.py")
_START = 30.0  # s, least time for the child to start and describe the library
_SLICE = 1.0  # s between looks whether the child lives, should its end of a pipe stay open elsewhere
_GRACE = 1.0  # s for a child to end by itself
_LOG_SHOWN = 5  # lines
_LOG_KEPT = 1 << 20  # bytes


class ChildProcess:
    """One running child; not usable again once it ended or was closed.

    The memory is an anonymous file that both processes map: it goes when both are gone, however they end.
    """

    def __init__(self, path: str, deadline: float) -> None:
        self.owner = os.getpid()
        with ExitStack() as opened, ExitStack() as theirs:  # what is opened is closed again if the child does not start
            self._memory = _closed_by(opened, _anonymous_file())
            self._log = opened.enter_context(tempfile.TemporaryFile(buffering=0))
            read_command, command = os.pipe()
            _closed_by(theirs, read_command)
            self._command = _closed_by(opened, command)
            reply, write_reply = os.pipe()
            _closed_by(theirs, write_reply)
            self._reply = _closed_by(opened, reply)
            self._process = self._start((read_command, write_reply, self._memory), path)
            opened.pop_all()
        self._poll = select.poll()
        self._poll.register(self._reply, select.POLLIN)
        self._capacity = 0
        self.view: mmap.mmap | None = None
        self.rows: tuple[int, ...] = ()
        self._greet(deadline)

    @property
    def pid(self) -> int:
        """Return the process id of the child."""
        return self._process.pid

    def memory(self, columns: int) -> mmap.mmap:
        """Return the shared memory, made larger if so many columns need it."""
        _, needed = offsets(self.rows, columns)
        if self.view is None or needed > self._capacity:
            size = -(-max(needed, 2 * self._capacity) // mmap.PAGESIZE) * mmap.PAGESIZE
            os.ftruncate(self._memory, size)
            self._capacity, self.view = size, mmap.mmap(self._memory, size)
        return self.view

    def call(self, number: int, task: int, columns: int, dt: float, deadline: float) -> tuple[int, str]:
        """Run a step or pullback on the shared memory, return (status, message); ComponentError if the child ends."""
        try:
            os.write(self._command, COMMAND.pack(number, task, columns, self._capacity, dt))
            answered, status, text = self._answer(deadline)
        except BrokenPipeError:
            raise self._ended() from None
        except BaseException:  # Ctrl-C, too: an answer that nobody reads must not meet the next call
            self.close(grace=0.0)
            raise
        if answered != number:
            self.close(grace=0.0)
            raise ComponentError(
                f"answered call {answered}, expected {number}, and was killed: the library may have written to a "
                f"file descriptor that is not its own"
            )
        if number % 1024 == 0 and os.fstat(self._log.fileno()).st_size > _LOG_KEPT:
            self._log.truncate(0)
        return status, text

    def log(self) -> str:
        """Return the last lines that the child printed."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        raw = os.pread(self._log.fileno(), 4096, max(0, size - 4096))
        lines = raw.replace(b"\0", b"").decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_LOG_SHOWN:])

    def close(self, grace: float = _GRACE) -> None:
        """End the child and free what it used; in a fork of the owner only the latter."""
        if self._log.closed:
            return
        for descriptor in (self._command, self._reply, self._memory):
            os.close(descriptor)
        self._log.close()
        if self.owner != os.getpid():
            self._process.returncode = 0  # not our child: nothing to wait for
            return
        if grace:
            try:
                self._process.wait(grace)  # its command pipe is closed, so it leaves by itself
                return
            except subprocess.TimeoutExpired:
                pass
        self._process.kill()
        self._process.wait()

    def _start(self, ends: tuple[int, ...], path: str) -> subprocess.Popen[bytes]:
        program = sys.executable
        try:
            return subprocess.Popen(
                [program, "-P", str(_WORKER), *map(str, ends), str(self.owner), path],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=ends,
            )
        except OSError as error:
            raise ComponentError(
                f"its child process {program!r} cannot be started: {error.strerror}; expected sys.executable to be a "
                f"Python that runs, or use isolation='none'"
            ) from error

    def _greet(self, deadline: float) -> None:
        try:
            _, status, text = self._answer(max(deadline, _START))
        except BaseException:
            self.close(grace=0.0)
            raise
        if status == BROKEN:
            self.close()
            raise ComponentError(text)
        greeting: dict[str, Any] = json.loads(text)
        self.modules = frozenset(greeting["modules"])
        self.description: LibraryDescription = from_json(greeting["description"])
        self.rows = self.description.rows()

    def _answer(self, deadline: float) -> tuple[int, int, str]:
        end = time.monotonic() + deadline
        number, status, length = REPLY.unpack(self._read(REPLY.size, end, deadline))
        text = self._read(length, end, deadline).decode("utf-8", "replace") if length else ""
        return number, status, text

    def _read(self, count: int, end: float, deadline: float) -> bytes:
        received = b""
        while len(received) < count:
            remaining = end - time.monotonic()
            if remaining <= 0:
                raise self._hung(deadline)
            if self._poll.poll(1000 * min(remaining, _SLICE)):
                piece = os.read(self._reply, count - len(received))
                if not piece:
                    raise self._ended()
                received += piece
            elif self._process.poll() is not None:
                raise self._ended()
        return received

    def _hung(self, deadline: float) -> ComponentError:
        log = self.log()
        self.close(grace=0.0)
        return ComponentError(f"gave no answer within the deadline of {deadline:g} s and was killed{_quoted(log)}")

    def _ended(self) -> ComponentError:
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        log = self.log()
        self.close(grace=0.0)
        return ComponentError(f"ended its process by {_cause(code)}{_quoted(log)}")


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code} (STOP, ERROR STOP or exit)"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return f"signal {name} ({signal.strsignal(-code)})"


def _quoted(log: str) -> str:
    return f"; its last output: {log!r}" if log else ""


def _closed_by(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _anonymous_file() -> int:
    """Return a file descriptor of memory that no name leads to, so that none can be left behind."""
    if sys.platform == "linux":
        return os.memfd_create("crest-fortran", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
