"""The tasks behind `make`: prepare the environment, then run demo, tests, checks or docs."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

from commands import EnvironmentProblem
from environment import clean_environment, prepare, venv_python
from packages import ROOT
from stages import QUIET_MKDOCS, STAGES, run_pytest, summary_table

USAGE = "usage: bootstrap.py env | demo [ARGS] | test [PYTEST ARGS] | check [STAGE...] | docs [serve]"
DEMO = "examples/twin/demo.py"


def run_task(arguments: list[str]) -> int:
    """Prepare the environment and run the task named first; returns the exit status of the task."""
    tasks: dict[str, Callable[[list[str]], int]] = {
        "env": _env,
        "demo": _demo,
        "test": _test,
        "check": _check,
        "docs": _docs,
    }
    if not arguments or arguments[0] not in tasks:
        print(USAGE)
        return 2
    os.chdir(ROOT)
    start = time.monotonic()
    try:
        prepare()
        if (seconds := time.monotonic() - start) > 2:
            print(f"environment ready after {seconds:.0f} s", flush=True)
        return tasks[arguments[0]](arguments[1:])
    except (EnvironmentProblem, ValueError) as problem:
        print(f"bootstrap: {problem}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nbootstrap: interrupted", flush=True)
        return 130


def _env(arguments: list[str]) -> int:
    if arguments:
        print(USAGE)
        return 2
    print(f"ready: {venv_python()}")
    return 0


def _demo(arguments: list[str]) -> int:
    if not (ROOT / DEMO).is_file():
        raise ValueError(f"{DEMO} is not there")
    return _run([str(venv_python()), DEMO, *arguments], clean_environment())


def _test(arguments: list[str]) -> int:
    return run_pytest(["-m", "not slow", *arguments])


def _docs(arguments: list[str]) -> int:
    mkdocs = [str(venv_python()), "-m", "mkdocs"]
    variables = {**clean_environment(), **QUIET_MKDOCS}
    if arguments[:1] == ["serve"]:
        address = ["--dev-addr", "127.0.0.1:8000"]
        return _run([*mkdocs, "serve", *address, *arguments[1:]], variables)
    return _run([*mkdocs, "build", "--strict", *arguments], variables)


def _check(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in STAGES]
    if unknown:
        raise ValueError(f"no stage is called {', '.join(unknown)}; the stages are {', '.join(STAGES)}")
    results = []
    for name in arguments or STAGES:
        print(f"\n=== {name}: {STAGES[name].what}", flush=True)
        start = time.monotonic()
        passed = STAGES[name].run()
        results.append((name, passed, time.monotonic() - start))
    print("\n" + summary_table(results), flush=True)
    return 0 if all(passed for _, passed, _ in results) else 1


def _run(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(command, env=environment, cwd=ROOT).returncode
