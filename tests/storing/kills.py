"""Kills: a child that is killed at a random point of a run, and what it was inside of then."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .contents import Contents, check_prefix
from .zygote import Zygote

SLOW = 0.002  # seconds that a step of the black box and a read of forcing take, so that kills find them at work
SPANS = {"commit": 0.08, "step": SLOW, "read": SLOW, "anything": 0.5}  # seconds in which a kill falls
KILLS_A_RUN = 5


@dataclass(frozen=True)
class Plan:
    """To kill so many seconds after the `number`-th begin of a phase ("anything": of the run)."""

    phase: str
    number: int
    seconds: float

    @classmethod
    def drawn(cls, phase: str, generator: random.Random) -> Plan:
        """Draw a point within the next two cycles, each of which has 1 commit, 2 reads and 2 steps or more."""
        return cls(phase, generator.randint(1, 2 if phase == "commit" else 4), generator.uniform(0, SPANS[phase]))


@dataclass(frozen=True)
class Ended:
    """How a child ended: status, the phases it was inside of, and the last cycle it had acknowledged (0: none)."""

    status: int
    inside: frozenset[str]
    acknowledged: int
    events: tuple[str, ...]


def struck(zygote: Zygote, pipe: Path, plan: Plan | None, **task: object) -> Ended:
    """Start a child and kill it as planned; None lets it run."""
    events: list[str] = []
    with zygote.child(pipe, **task) as child:
        if plan is not None:
            begun = "" if plan.phase == "anything" else f"{plan.phase}+"
            while begun and events.count(begun) < plan.number:
                event = next(child.events, None)
                if event is None:
                    break  # the run ended before
                events.append(event)
            time.sleep(plan.seconds)
            os.kill(child.pid, signal.SIGKILL)
        events.extend(child.events)
        status = zygote.wait()
    entered = Counter(event.rstrip("+-") for event in events if event.endswith("+"))
    entered.subtract(event.rstrip("+-") for event in events if event.endswith("-"))
    acknowledged = [int(event.split()[1]) for event in events if event.startswith(("ack", "done"))]
    inside = frozenset(phase for phase, times in entered.items() if times > 0)
    return Ended(status, inside, max(acknowledged, default=0), tuple(events))


def kill_and_resume(
    zygote: Zygote, folder: Path, forcing: Path, straight: Mapping[int, Contents], phases: list[str], seed: int
) -> Counter[str]:
    """Kill one run once for each phase asked for, let it resume each time and end; return what it was inside of.

    After each kill and in the end the store must be a prefix of the straight run that holds every cycle acknowledged.
    """
    generator, found, acknowledged = random.Random(seed), Counter[str](), 0
    task = {"folder": str(folder), "forcing": str(forcing), "seconds": SLOW}
    for plan in [*(Plan.drawn(phase, generator) for phase in phases), None]:
        ended = struck(zygote, folder.with_suffix(".pipe"), plan, **task)
        acknowledged = max(acknowledged, ended.acknowledged)
        killed = ended.status == -signal.SIGKILL
        assert killed if plan and "done" not in ended.events[-1:] else ended.status in (0, -signal.SIGKILL), ended
        check_prefix(folder, straight, acknowledged)
        if killed:
            found.update(ended.inside or {"between"})
            found["kills"] += 1
    assert acknowledged == max(straight), f"{acknowledged} of {max(straight)} cycles"
    return found
