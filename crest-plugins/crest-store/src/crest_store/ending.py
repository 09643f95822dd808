"""The end of reads and writes: none goes on after an error without its lock, or into the end of the interpreter.

Zarr raises the first error of many chunks and leaves the others to Icechunk's threads. Such a thread needs Python to
hand over its result, and once more after that; CPython ends it there when the interpreter ends, and then Rust aborts
the process (exit status 134).
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import time
from contextlib import suppress

from zarr.core import sync as event_loop

_PATIENCE = 5.0  # seconds, for reads from far away


def settle() -> None:
    """Wait for what Zarr's event loop still does; tasks of other stores may take longer than our patience."""
    if event_loop.loop[0] is not None:
        with suppress(TimeoutError):  # the loop itself may hang
            event_loop.sync(_others_done(), timeout=_PATIENCE)


async def _others_done() -> None:
    """Wait for all tasks but this one."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_PATIENCE)


@atexit.register
def _end() -> None:
    """Let Icechunk's threads leave Python: those that run Python and were not started by it."""
    end = time.monotonic() + _PATIENCE
    settle()
    while time.monotonic() < end and sys._current_frames().keys() - {one.ident for one in threading.enumerate()}:
        time.sleep(0.001)
