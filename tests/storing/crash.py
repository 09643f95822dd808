"""A crash within this process: an exception that nothing catches, at the n-th call within the store."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Crash(BaseException):
    """The process would have ended here."""


@contextmanager
def crashing(number: int) -> Iterator[None]:
    """Raise Crash at the `number`-th call of or by a function of crest-store in this thread; swallow it here.

    Not within its lock, which the kernel frees when a process ends, and which here ends with the objects that hold it.
    """
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        if (
            event in ("call", "c_call")
            and "crest_store" in (name := frame.f_code.co_filename)
            and "lock.py" not in name
        ):
            calls += 1
            if calls == number:
                raise Crash(f"{event} in {frame.f_code.co_qualname}")

    gc.freeze()  # only what is made from here on is looked through below
    sys.setprofile(count)
    try:
        yield
    except Crash:
        sys.setprofile(None)
        gc.collect()
    finally:
        sys.setprofile(None)
        gc.unfreeze()
