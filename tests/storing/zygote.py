"""A warm process that has imported everything and opened nothing: a fork of it runs at once, and can be killed.

`python -m storing.zygote` in the folder of the tests; it reads a JSON object a line and answers each with one.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent


@dataclass
class Child:
    """A forked child: its pid, and the events that it has marked so far."""

    pid: int
    events: Iterator[str]


class Zygote:
    """The warm process, seen from a test."""

    def __init__(self, preload: Path | None = None) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        if preload is not None:
            environment["LD_PRELOAD"] = str(preload)
        command = [sys.executable, "-m", "storing.zygote"]
        self.process = subprocess.Popen(
            command, cwd=HERE.parent, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._ask({"do": "hello"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    @contextmanager
    def child(self, pipe: Path, **task: Any) -> Iterator[Child]:
        """Start a child with a task of `coupled.run`; what it marks comes through a named pipe."""
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # waits for no writer
        os.set_blocking(reading, True)
        with open(reading, encoding="ascii") as stream:
            pid = self._ask({"do": "start", "pipe": str(pipe), **task})["pid"]
            yield Child(pid, (line.rstrip("\n") for line in stream))

    def wait(self) -> int:
        """Return how the child ended: its exit status, or minus the signal; until then its pid is its own."""
        return int(self._ask({"do": "wait"})["status"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the warm process has ended"
        return dict(json.loads(answer))


def serve() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Icechunk logs to the standard output
    warm()
    pid = 0
    for line in sys.stdin:
        question = json.loads(line)
        answer: dict[str, Any] = {}
        if question["do"] == "start":
            pipe = os.open(question["pipe"], os.O_WRONLY)
            pid = os.fork()
            if pid == 0:
                os._exit(_task(question, pipe))
            os.close(pipe)
            answer = {"pid": pid}
        elif question["do"] == "wait":
            answer = {"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}
        print(json.dumps(answer), file=answers, flush=True)


def warm() -> None:
    """Import and compute what a first run does, short of threads that a fork would not have."""
    import cf_xarray.units  # noqa: F401
    import crest_store.archive  # noqa: F401
    import h5netcdf  # noqa: F401
    import zarr.codecs  # noqa: F401

    from crest_core import simulate
    from crest_core.testing import weather

    from . import coupled

    simulate(coupled.graph(), weather(2, 3, seed=1), window="1D")


def _task(task: dict[str, Any], pipe: int) -> int:
    """Run in the child; return its exit status: 0, or 3 for an error of CREST, whose text is marked."""
    from crest_core import CrestError

    from . import coupled

    def mark(event: str) -> None:
        os.write(pipe, f"{event}\n".encode("ascii", "replace"))
        if arming and event == arming["at"] and not armed:
            armed.append(event)
            arm(arming["fault"])

    arming, armed = task.get("arming"), []
    try:
        options = {name: task[name] for name in ("cycles", "seconds", "again") if name in task}
        restarts = coupled.run(Path(task["folder"]), Path(task["forcing"]), mark=mark, **options)
        disarm(arming)
        mark(f"done {restarts[-1]}")
    except CrestError as error:
        disarm(arming)
        mark(f"error {' '.join(str(error).split())}")
        return 3
    except BaseException:
        disarm(arming)
        traceback.print_exc()
        return 4
    return 0


def arm(fault: dict[str, Any]) -> None:
    """Let the preloaded library inject a fault."""
    library = ctypes.CDLL(None)
    text = {name: str(fault[name]).encode() for name in ("folder", "marker", "operation", "mode", "part")}
    library.fault_arm(*text.values(), fault["number"], fault["errno"])


def disarm(arming: dict[str, Any] | None) -> None:
    """Write down how many operations there were, and let all go well again."""
    if arming:
        ctypes.CDLL(None).fault_disarm()


if __name__ == "__main__":
    serve()
