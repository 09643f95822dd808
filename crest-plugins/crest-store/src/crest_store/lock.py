"""Lock: one writer of a run, who says who it is; the kernel frees the lock of a process that dies.

Works on disks of this machine. Network file systems often do not keep flock across machines: write runs to a local
disk or to an object store.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import shlex
import socket
import sys
import weakref
from datetime import UTC, datetime
from pathlib import Path

from crest_core import StoreError
from crest_store.errors import LockError, ReadOnlyError


class Lock:
    """The right to write a run, from `Lock(file)` to `release()`, the end of the process or of the object."""

    def __init__(self, file: Path, run: str) -> None:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise StoreError(f"run {run} cannot be locked: {error}") from error
            raise ReadOnlyError(
                f"run {run} cannot be written: {error}; read it with open_run or load(), or go on with a copy of it"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(descriptor).st_nlink:
                raise BlockingIOError  # the one who held it has deleted the run meanwhile
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(owner()).encode(), 0)
        except BlockingIOError:
            os.close(descriptor)
            raise LockError(f"run {run} is being written by {_named(file)}") from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"run {run} cannot be locked: {error}; write to a local disk") from error
        self._closing = weakref.finalize(self, os.close, descriptor)
        _release_in_children(weakref.ref(self))

    def release(self) -> None:
        """Let others write; a second call does nothing."""
        self._closing()


def owner() -> dict[str, str | int]:
    """Return who this process is."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        user = str(os.getuid())
    began = datetime.now(UTC).isoformat(timespec="seconds")
    command = shlex.join(sys.argv)[:500]
    return {"pid": os.getpid(), "host": socket.gethostname(), "user": user, "start": began, "command": command}


def _named(file: Path) -> str:
    """Return the owner that a lock file names, and what to do."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        who = f"process {found['pid']} of {found['user']} on {found['host']} since {found['start']}: {found['command']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, and not yet said who it is
        return "another process; wait for it or stop it"
    if found["pid"] == os.getpid():
        return f"this process ({who}); use one archive for resume and archive, or close() the other"
    return f"{who}; wait for it or stop it, read with open_run, or write a copy or another path"


def _release_in_children(lock: weakref.ref[Lock]) -> None:
    """Close the file in forked children, which would else hold the lock when this process is killed."""

    def close() -> None:
        found = lock()
        if found is not None:
            found.release()

    os.register_at_fork(after_in_child=close)
