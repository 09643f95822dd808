"""Real processes: one writer at a time, and kills that lose no acknowledged cycle."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from crest_store import IcechunkArchive, LockError, open_run
from crest_store.verification import verify

# Imports once, then runs each folder that it is told in a forked process, which may be killed.
DRIVER = """
import os, sys
from crest_core import Connection, Graph, simulate
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather
from crest_store.archive import IcechunkArchive
from crest_store.stream import Stream

lag = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)
graph = Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}, [lag])
streams = {"steps": Stream(), "monthly": Stream(fields=("runoff",), every="1MS", statistic="mean")}

class Told(IcechunkArchive):
    def commit(self, outputs, state, attributes):
        super().commit(outputs, state, attributes)
        print(attributes["time"], flush=True)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with Told(line.strip(), history=streams) as archive:
            print(os.getpid(), flush=True)
            resume = archive if archive.restarts() else None
            simulate(graph, weather(120, 200, seed=1), window="4D", archive=archive, resume=resume)
        os._exit(0)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""


class Driver:
    """Starts runs in processes of their own, one after the other."""

    def __init__(self, script):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        self.process = subprocess.Popen([sys.executable, str(script)], **pipes)

    def start(self, folder):
        """Start a run; return the number of its process when it has the lock."""
        print(folder, file=self.process.stdin, flush=True)
        return int(self.read())

    def read(self):
        return self.process.stdout.readline().strip()

    def ended(self):
        """Return the times that were acknowledged until the process ended, and how it did."""
        lines = []
        while not (line := self.process.stdout.readline()).startswith("ended"):
            lines.append(line.strip())
        return lines, int(line.split()[1])


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    path = tmp_path_factory.mktemp("driver") / "driver.py"
    path.write_text(DRIVER)
    found = Driver(path)
    yield found
    found.process.communicate()


def test_a_second_driver_is_told_who_writes_and_a_kill_frees_the_run(driver, tmp_path):
    pid = driver.start(tmp_path / "run")
    with pytest.raises(LockError, match=rf"being written by process {pid} of .* on .* since .*driver.py; wait for it"):
        IcechunkArchive(tmp_path / "run").load()
    os.kill(pid, signal.SIGKILL)
    driver.ended()
    with IcechunkArchive(tmp_path / "run") as archive:
        with pytest.raises(LockError, match=r"this process .*; use one archive for resume and archive, or close\(\)"):
            IcechunkArchive(tmp_path / "run").load()
        archive.restarts()


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    archive = IcechunkArchive(tmp_path / "run").__enter__()
    begun, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b"!")
        time.sleep(30)
        os._exit(0)
    os.read(begun, 1)
    archive.close()
    try:
        IcechunkArchive(tmp_path / "run").__enter__().close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(begun)
        os.close(tell)


@pytest.mark.slow
def test_five_kills_lose_no_acknowledged_cycle_and_change_no_bit(driver, tmp_path, small):
    driver.start(tmp_path / "straight")
    assert driver.read() < "2001-01-09"
    began = time.monotonic()
    assert driver.ended()[1] == 0
    length, generator = time.monotonic() - began, random.Random(5)
    acknowledged = ""
    for number in range(5):
        pid = driver.start(tmp_path / "killed")
        if number != 2:  # once anywhere from the opening on, else among the commits
            acknowledged = max(acknowledged, driver.read())
        time.sleep(generator.uniform(0, length / 6))  # so that five kills do not reach the end
        os.kill(pid, signal.SIGKILL)
        times, status = driver.ended()
        assert status == signal.SIGKILL
        acknowledged = max([acknowledged, *times])
        committed = open_run(tmp_path / "killed")
        if acknowledged:
            assert committed.record()["time"] >= acknowledged
            steps = committed.history("steps").load()
            assert steps["time_bnds"].values[-1, 1] == np.datetime64(committed.record()["time"])
    assert acknowledged
    driver.start(tmp_path / "killed")
    assert driver.ended()[1] == 0 and verify(tmp_path / "killed") == []
    whole, killed = open_run(tmp_path / "straight"), open_run(tmp_path / "killed")
    for stream in ("steps", "monthly"):
        small.same(killed.history(stream).load(), whole.history(stream).load())
    assert killed.record() == whole.record() and killed.cycles() == whole.cycles()
    state, expected = killed.restart()[0], whole.restart()[0]
    assert all(state[name].equal(expected[name]) for name in expected)
