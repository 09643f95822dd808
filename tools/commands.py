"""Run the commands that prepare the environment: quiet when they work, telling when they fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from packages import ROOT

LOG = ROOT / "build" / "bootstrap.log"
LINES_OF_LOG_SHOWN = 25
SIGNS_OF_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Connection refused",
    "timed out",
    "from versions: none",
)


class EnvironmentProblem(Exception):
    """The environment cannot be prepared; the message says what the user can do."""


def stage(what: str, action: Callable[[], None]) -> None:
    """Run one action and print what it is and how long it took."""
    print(f"{what} ...", end=" ", flush=True)
    start = time.monotonic()
    try:
        action()
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def run_logged(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command with its output in the log; a failure shows the end of it."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        start = log.tell()
        # The lock of environment.py stays open in the command: it may outlive this process.
        result = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, close_fds=False)
    if result.returncode < 0:
        # Killed by a signal: it may have left anything behind, so this is no orderly failure.
        raise KeyboardInterrupt
    if result.returncode:
        with LOG.open("rb") as written:
            written.seek(start)
            output = written.read().decode(errors="replace")
        raise EnvironmentProblem(failure_message(command, result.returncode, output))


def failure_message(command: list[str], status: int, output: str) -> str:
    """Return the end of a failed command's output and what can be done about it."""
    tail = "\n".join("    " + line for line in output.splitlines()[-LINES_OF_LOG_SHOWN:])
    short = " ".join(command[:4])
    message = f"`{short} ...` ended with status {status}\n{tail}\nfull log: {LOG}"
    if any(sign in output for sign in SIGNS_OF_NO_NETWORK):
        message += (
            "\npip could not reach a package index: connect this machine to a network, or set "
            "PIP_INDEX_URL or PIP_FIND_LINKS to a mirror, and run the same command again"
        )
    return message
