"""The end of a process whose reads have failed: its own exit status, and no abort."""

import asyncio
import subprocess
import sys
import time

import pytest
from crest_store import IcechunkArchive
from zarr.core import sync as event_loop

from crest_core import StoreError
from crest_core.testing import weather

READER = """
import os, sys
from crest_store import DamageError, open_run
import crest_store.run

statuses = []
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if not child:
        try:
            open_run(sys.argv[1]).history()["storage"].load()
        except DamageError:
            sys.exit(3)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(statuses)
"""


@pytest.mark.slow
def test_a_process_that_fails_to_read_ends_with_its_own_status(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, forcing=weather(60, 300, seed=1))
    for file in (tmp_path / "run" / "chunks").iterdir():
        file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    words = [sys.executable, "-c", READER, str(tmp_path / "run"), "12"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str([3] * 12), done.stderr


@pytest.mark.slow
def test_an_error_does_not_wait_for_the_end_of_the_task_of_another_store(tmp_path, small):
    with IcechunkArchive(tmp_path / "run") as archive:
        small.run(archive, small.ends[0])
        foreign = asyncio.run_coroutine_threadsafe(asyncio.sleep(40), event_loop._get_loop())
        began = time.monotonic()
        try:
            with pytest.raises(StoreError, match="branch y+ of run .* failed: "):
                archive.branch_from(1, "y" * 250)
            assert time.monotonic() - began < 20 and not foreign.done()
        finally:
            foreign.cancel()
