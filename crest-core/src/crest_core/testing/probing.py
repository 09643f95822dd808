"""Probing: what the import of a module does in a fresh process."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import IO, Any, cast

COMMAND = (sys.executable, "-m", "crest_core.testing._probe")
Path = tuple[str, ...]
"""The folders in which modules are looked for, as in sys.path."""


def probe(module: str) -> dict[str, Any] | str:
    """Return "seconds" and "changes" of an import after torch and the core, or why it cannot be imported."""
    return _unknown(module) or _after_torch(module, tuple(filter(None, sys.path)))


def light_probe(module: str) -> dict[str, Any] | str:
    """Return "seconds" and "heavy" (libraries) of an import with nothing before it, or why it cannot be imported."""
    return _unknown(module) or _alone(("--light", module), tuple(filter(None, sys.path)))


def _unknown(module: str) -> str:
    if all(map(str.isidentifier, module.split("."))) and PathFinder.find_spec(module.partition(".")[0]) is not None:
        return ""
    return f"{module} cannot be imported by its name"


@lru_cache(maxsize=64)
def _after_torch(module: str, path: Path) -> dict[str, Any] | str:
    if sys.platform != "linux":  # elsewhere a process may not be copied, or dies of it
        return _alone((module,), path)
    request = {"module": module, "path": ["", *path], "folder": os.getcwd(), "environment": dict(os.environ)}
    server = _server()
    if server.poll() is not None:
        _server.cache_clear()
        server = _server()
    requests, answers = cast(IO[str], server.stdin), cast(IO[str], server.stdout)
    print(json.dumps(request), file=requests, flush=True)
    line = answers.readline() or '{"error": "torch and the core cannot be imported"}'
    answer: dict[str, Any] = json.loads(line)
    return _refusal(module, answer["error"]) if "error" in answer else answer


@lru_cache(maxsize=1)
def _server() -> subprocess.Popen[str]:
    """Return a process that imports torch and the core once, and every module in a copy of itself."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipe = subprocess.PIPE
    server = subprocess.Popen(
        [*COMMAND, "--serve"], env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    atexit.register(_end, server, os.getpid())
    return server


def _end(server: subprocess.Popen[str], owner: int) -> None:
    if os.getpid() == owner:  # a copy of this process has no say
        with server:
            server.kill()


@lru_cache(maxsize=64)
def _alone(words: tuple[str, ...], path: Path) -> dict[str, Any] | str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        return _refusal(words[-1], (done.stderr.strip().splitlines() or ["no message"])[-1])
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _refusal(module: str, why: str) -> str:
    return f"{module} cannot be imported by its name in a fresh process ({why})"
