"""Reading from a disk that cannot be written."""

import subprocess
import sys

from crest_store import IcechunkArchive

READER = """
import errno, os, sys
from crest_core import StoreError
from crest_store import IcechunkArchive, open_run

folder = sys.argv[1]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.utime"}

def read_only(event, arguments):
    if event in CHANGES or (event == "open" and arguments[2] & WRITING):
        if str(arguments[0]).startswith(folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), arguments[0])

sys.addaudithook(read_only)
archive = IcechunkArchive(folder)
state, attributes = archive.load()
print(archive.restarts(), attributes["time"], archive.load(1)[1]["time"], archive.open().load().sizes["time"])
print(open_run(folder).restart()[1]["time"], sorted(state) == sorted(open_run(folder).restart()[0]))
try:
    archive.__enter__()
except StoreError as error:
    print(error)
"""


def contents(folder):
    return {file: (file.stat().st_mtime_ns, file.is_file() and file.read_bytes()) for file in folder.rglob("*")}


def test_restarts_are_read_from_a_read_only_disk(tmp_path, small):
    folder = tmp_path / "run"
    with IcechunkArchive(folder) as archive:
        small.run(archive, small.ends[1])
    before = contents(folder)
    done = subprocess.run([sys.executable, "-c", READER, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second, refusal = done.stdout.splitlines()
    assert first == "[1, 2] 2001-01-15T00:00:00 2001-01-05T00:00:00 14"
    assert second == "2001-01-15T00:00:00 True"
    assert refusal.startswith(f"run {folder} cannot be written: [Errno 30] Read-only file system")
    assert refusal.endswith("read it with open_run or load(), or go on with a copy of it")
    assert contents(folder) == before
