"""A run that is killed at any point loses no acknowledged cycle, and resumed ends as the run that was never killed."""

from collections import Counter

import pytest

from .storing import coupled
from .storing.contents import every_cycle
from .storing.kills import KILLS_A_RUN, kill_and_resume, struck
from .storing.zygote import Zygote

CYCLES = 10
PHASES = ["commit", "step", "read", "commit", "anything"]


@pytest.fixture(scope="module")
def zygote():
    with Zygote() as process:
        yield process


@pytest.fixture(scope="module")
def forcing(tmp_path_factory):
    return coupled.write_forcing(tmp_path_factory.mktemp("forcing") / "weather.nc", CYCLES)


@pytest.fixture(scope="module")
def straight(tmp_path_factory, zygote, forcing):
    """The contents of the uninterrupted run after each cycle."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    ended = struck(zygote, folder.with_suffix(".pipe"), None, folder=str(folder), forcing=str(forcing), seconds=0.0)
    assert ended.status == 0, ended.events
    found = every_cycle(folder)
    assert list(found) == list(range(CYCLES + 1))
    return found


def killed(zygote, folder, forcing, straight, kills, seed):
    """Kill run after run until there were so many kills, each phase among them; return what was hit."""
    found: Counter[str] = Counter()
    while found["kills"] < kills or not {"commit", "step", "read"} <= set(found):
        assert seed < seed + kills, f"a phase is never hit: {found}"
        found += kill_and_resume(zygote, folder / f"run{seed}", forcing, straight, PHASES, seed)
        seed += 1
    return found


def test_five_kills_lose_no_acknowledged_cycle_and_change_no_bit(zygote, tmp_path, forcing, straight):
    found = killed(zygote, tmp_path, forcing, straight, KILLS_A_RUN, seed=1)
    assert found["kills"] >= KILLS_A_RUN and min(found[phase] for phase in ("commit", "step", "read")) >= 1, found


@pytest.mark.slow
def test_a_hundred_kills_lose_no_acknowledged_cycle_and_change_no_bit(zygote, tmp_path, forcing, straight):
    found = killed(zygote, tmp_path, forcing, straight, 100, seed=1000)
    assert found["kills"] >= 100 and min(found[phase] for phase in ("commit", "step", "read")) >= 10, found
    print(dict(found))
