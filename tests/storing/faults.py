"""Faults of input and output under a run, injected at the C library: Icechunk's own input and output is native code."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crest_store.ledger import Ledger
from crest_store.verification import verify

from .contents import Contents, check_prefix
from .kills import Ended, struck
from .zygote import Zygote

SOURCE = Path(__file__).with_name("fault.c")
OPERATIONS = ("open", "write", "fsync", "rename", "read")
MODES = {  # of each operation, with the error; a disk that is full says so when files are made, written and named
    "open": (("error", errno.EIO), ("full", errno.ENOSPC)),
    "write": (("error", errno.EIO), ("full", errno.ENOSPC), ("short", 0), ("torn", errno.ENOSPC)),
    "fsync": (("error", errno.EIO),),
    "rename": (("error", errno.EIO), ("full", errno.ENOSPC)),
    "read": (("error", errno.EIO), ("short", 0)),
}


@dataclass(frozen=True)
class Fault:
    """The `number`-th operation after an event of the run ("commit+" or "open+") goes wrong; 0: none, only counted."""

    at: str
    operation: str
    mode: str
    errno: int
    number: int
    part: str = ""  # of the path; only operations on such files count


def compiled(folder: Path) -> Path:
    """Return the library to preload, built by the C compiler."""
    library = folder / "fault.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Bench:
    """A run of some cycles that is copied for each fault, and the straight run that all of them must end as."""

    zygote: Zygote
    folder: Path
    forcing: Path
    base: Path  # holds two cycles
    straight: Mapping[int, Contents]

    def trial(self, fault: Fault, cycles: int = 3, **task: object) -> tuple[Ended, list[str]]:
        """Run the third cycle under a fault; return how that ended and what the library has written down."""
        place, marker = self.folder / "run", self.folder / "marker"
        shutil.rmtree(place, ignore_errors=True)
        marker.unlink(missing_ok=True)
        shutil.copytree(self.base, place)
        told = {"folder": str(place), "marker": str(marker)} | {
            name: getattr(fault, name) for name in ("operation", "mode", "errno", "number", "part")
        }
        ended = self.run(place, cycles, arming={"at": fault.at, "fault": told}, **task)
        return ended, marker.read_text(encoding="utf-8").splitlines()

    def numbers(self, at: str, operation: str) -> int:
        """Return how many operations there are from an event to the end of the cycle."""
        ended, told = self.trial(Fault(at, operation, "error", 0, 0))
        assert ended.status == 0 and told[-1].startswith("seen "), (ended, told)
        return int(told[-1].split()[1])

    def faults(self, at: str, operations: Mapping[str, int], share: float = 1.0) -> Iterator[Fault]:
        """Yield every fault of a cycle, or a share of them spread over it."""
        debt = 0.0
        for operation, numbers in operations.items():
            for mode, error in MODES[operation]:
                for number in range(1, numbers + 1):
                    debt += share
                    if debt >= 1.0:
                        debt -= 1.0
                        yield Fault(at, operation, mode, error, number)

    def prove(self, fault: Fault) -> str:
        """Check all that is promised under a fault; return how the run took it: "absorbed" or "stopped".

        The fault has fired. The run has stopped with an error of CREST or gone on unharmed. What is committed is a
        prefix of the straight run with every cycle acknowledged. A run that resumes ends as the straight one.
        """
        ended, told = self.trial(fault)
        if not any(line.startswith(f"fired {fault.operation} ") for line in told):
            raise AssertionError(f"{fault} has not fired: {told}, {ended}")
        acknowledged = max(ended.acknowledged, 2)
        if ended.status == 0:
            assert acknowledged == 3, ended
        elif ended.status != 3 or "error" not in ended.events[-1]:
            raise AssertionError(f"{fault}, {told}: ended by {ended}, not by an error of CREST")
        try:
            check_prefix(self.folder / "run", self.straight, acknowledged)
            resumed = self.run(self.folder / "run", 4)
            assert resumed.status == 0, f"resumed: {resumed}"
            assert check_prefix(self.folder / "run", self.straight, 4) == 4
        except AssertionError as error:
            raise AssertionError(f"{fault}, {told}, {ended.events[-1]}: {error}") from error
        return "absorbed" if ended.status == 0 else "stopped"

    def prove_again(self, fault: Fault) -> int:
        """Check that a process that goes on after a fault ends as the straight run; return where it went on from."""
        ended, told = self.trial(fault, 4, again=True)
        place, (again,) = self.folder / "run", [event for event in ended.events if event.startswith("again ")]
        assert ended.status == 0 and told[0].startswith(f"fired {fault.operation} "), (ended, told)
        _, writer, reader = map(int, again.replace("again", "0").split())
        assert writer == reader, f"{fault}: the writer goes on from {writer}, a reader sees {reader}"
        assert check_prefix(place, self.straight, 4) == 4
        chain = [line.cycle for line in Ledger(place).chains["main"]]
        assert chain == [0, 1, 2, 3, 4], f"{fault}: the ledger could go back to {chain} only"
        assert verify(place) == []
        return writer

    def run(self, place: Path, cycles: int, **task: object) -> Ended:
        known = {"folder": str(place), "forcing": str(self.forcing), "cycles": cycles, "seconds": 0.0}
        return struck(self.zygote, self.folder / "pipe", None, **known, **task)
