"""The end of a process whose reads have failed: its own exit status, and no abort."""

import subprocess
import sys

import pytest
from crest_store import IcechunkArchive

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
