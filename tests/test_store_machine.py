"""Whatever is done to a stored run, in any order and with crashes, it holds what an in-memory model of it holds."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from crest_store import IcechunkArchive, LockError, open_run
from crest_store.expiry import expire
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from crest_core import StoreError, simulate

from .storing import model
from .storing.crash import crashing

SCENARIO = st.sampled_from(model.SCENARIOS)
PLACE = st.integers(1, 1500)  # of a crash: a commit makes about as many calls
PICK = st.integers(0, 99)


class StoredRun(RuleBasedStateMachine):
    """A run in a folder, the archive that writes it, and beside them the model."""

    @initialize(scenario=SCENARIO)
    def start(self, scenario):
        self.folder = Path(tempfile.mkdtemp(prefix="crest-machine-"))
        self.run = self.folder / "run"
        self.branches = {"main": model.Branch()}
        self.name, self.base = "main", 0
        self.readers = []
        self.archive = self.opened()
        self.advance(scenario, 1)

    def teardown(self):
        if hasattr(self, "archive"):
            for name in self.branches:
                self.check(name)
            self.archive.close()
            shutil.rmtree(self.folder)

    def opened(self):
        keep = {"keep": model.KEEP, "keep_every": model.KEEP_EVERY}
        return IcechunkArchive(self.run, history=model.STREAMS, branch=self.name, **keep)

    def simulated(self, scenario, cycles):
        simulate(
            model.graph(),
            model.forcing(scenario),
            end=str(model.day(self.base + cycles)),
            window=model.WINDOW,
            archive=self.archive,
            resume=self.archive if self.base else None,
            accept=["forcing"],  # a scenario may follow another
        )

    @property
    def branch(self):
        return self.branches[self.name]

    @rule(scenario=SCENARIO, cycles=st.integers(1, 2))
    def advance(self, scenario, cycles):
        self.simulated(scenario, cycles)
        for _ in range(cycles):
            self.branches[self.name] = self.branch.advanced(self.base, scenario)
            self.base += 1

    @rule(scenario=SCENARIO, place=PLACE)
    def crash_while_advancing(self, scenario, place):
        committed = self.branch.advanced(self.base, scenario)
        with crashing(place):
            self.simulated(scenario, 1)
        self.resume()
        self.archive.load()  # the next writer finishes a cycle that is in the ledger, acknowledged or not
        if open_run(self.run, self.name).record()["forcing_hash"] == model.forcing_hash(committed.scenarios):
            self.branches[self.name] = committed
        self.base = len(self.branch.scenarios)
        self.check(self.name)

    @rule()
    def resume(self):
        """The writer is gone, and with it what it only meant to do."""
        self.archive.close()
        self.archive = self.opened()
        self.base = len(self.branch.scenarios)

    @rule(pick=PICK)
    def back_to(self, pick):
        cycle = 1 + pick % len(self.branch.scenarios)
        if cycle in self.branch.restarts:
            self.archive.back_to(cycle)
            self.base = cycle
        else:
            with pytest.raises(StoreError, match=f"cycle {cycle} has no restart; kept are"):
                self.archive.back_to(cycle)

    @rule()
    def checkpoint(self):
        state, attributes = self.archive.load()
        kept, _ = model.after(self.branch.scenarios[: self.base])
        assert model.equal_states(state, kept.state)
        assert attributes["time"] == kept.attributes["time"]
        assert attributes["forcing_hash"] == kept.attributes["forcing_hash"]

    @precondition(lambda self: len(self.branches) < 4)
    @rule(pick=PICK)
    def make_branch(self, pick):
        cycle, name = self.picked(pick), f"branch-{len(self.branches)}"
        self.archive.branch_from(cycle, name)
        self.branches[name] = self.branch.cut(cycle)

    @precondition(lambda self: len(self.branches) < 4)
    @rule(pick=PICK, place=PLACE)
    def crash_while_branching(self, pick, place):
        cycle, name = self.picked(pick), f"branch-{len(self.branches)}"
        with crashing(place % 400 + 1):
            self.archive.branch_from(cycle, name)
        self.resume()
        self.checkpoint()
        if name in open_run(self.run).branches():
            self.branches[name] = self.branch.cut(cycle)
        self.check(self.name)

    @rule(pick=PICK)
    def go_to_branch(self, pick):
        self.name = sorted(self.branches)[pick % len(self.branches)]
        self.resume()

    @rule(keep=st.integers(1, 3))
    def expire(self, keep):
        self.archive.close()
        self.readers.clear()  # an expiry may delete what they read
        expire(self.run, keep=keep)
        self.resume()
        self.check(self.name)

    @rule(keep=st.integers(1, 2), place=PLACE)
    def crash_while_expiring(self, keep, place):
        self.archive.close()
        self.readers.clear()
        with crashing(place):
            expire(self.run, keep=keep)
        self.resume()
        self.checkpoint()
        self.check(self.name)

    @rule(pick=PICK)
    def read(self, pick):
        self.check(sorted(self.branches)[pick % len(self.branches)])

    @rule()
    def begin_to_read(self):
        self.readers.append((open_run(self.run, self.name), self.branch))

    @precondition(lambda self: self.readers)
    @rule(pick=PICK)
    def go_on_reading(self, pick):
        found, expected = self.readers[pick % len(self.readers)]
        assert self.holds(found, expected), "a reader sees what has been committed since"

    @rule()
    def write_beside(self):
        self.archive.load()  # holds the lock from its first use on
        with pytest.raises(LockError, match="is being written by this process"), self.opened():
            pass

    def picked(self, pick):
        return sorted(self.branch.restarts)[pick % len(self.branch.restarts)]

    def check(self, name):
        found, expected = open_run(self.run, name), self.branches[name]
        assert found.cycles() == [*range(1, len(expected.scenarios) + 1)]
        assert found.restarts() == sorted(expected.restarts)
        assert self.holds(found, expected), f"branch {name} does not hold what the model does"
        oldest = min(expected.restarts)
        assert model.equal_states(found.restart(oldest)[0], model.after(expected.scenarios[:oldest])[0].state)

    @staticmethod
    def holds(found, expected):
        """Return whether history and last state are those of the model."""
        kept, history = model.after(expected.scenarios)
        steps, peaks = (found.history(name) for name in model.STREAMS)
        pairs = [(steps[name].values, values) for name, values in history.items()]
        pairs.append((peaks["runoff"].values, model.peaks(history["runoff"])))
        return all(np.array_equal(one, other) for one, other in pairs) and model.equal_states(
            found.restart()[0], kept.state
        )


PHASES = [Phase.generate]
COMMON = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "print_blob": False,
    "phases": PHASES,
}


def test_a_stored_run_and_its_model_never_diverge():
    run_state_machine_as_test(StoredRun, settings=settings(max_examples=10, stateful_step_count=15, **COMMON))


@pytest.mark.slow
def test_a_stored_run_and_its_model_never_diverge_in_two_hundred_histories():
    run_state_machine_as_test(StoredRun, settings=settings(max_examples=200, stateful_step_count=30, **COMMON))
