"""Make and keep up `.venv`: torch first, then what comes from outside, then our own packages.

What has been done is written to a stamp in `.venv` after each stage. A stage that was cut off
(killed, power lost) leaves its name in the stamp, and the next call then starts from an empty
`.venv`: pip cannot tell a half-written distribution from a whole one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands import EnvironmentProblem, run_logged, stage
from compiler import require_fortran_compiler
from packages import (
    ROOT,
    Package,
    dependency_groups,
    find_packages,
    fingerprint,
    pinned,
    text_hash,
    third_party,
)

VENV = ROOT / ".venv"
STAMP = VENV / "crest-stamp.json"
LOCK = ROOT / "build" / "bootstrap.lock"


def venv_python(venv: Path = VENV) -> Path:
    """Return the path of the interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare() -> None:
    """Bring `.venv` up to date with the workspace; does nothing when nothing changed."""
    packages = find_packages()
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    outside = third_party(packages, dependency_groups())
    with _only_one_at_a_time():
        stamp = read_stamp(STAMP)
        if must_start_over(stamp):
            stage("making .venv", _make_venv)
            stamp = {"base": interpreter(), "packages": {}}
            write_stamp(STAMP, stamp)
        _torch_and_third_party(stamp, constraints, outside)
        _workspace_packages(stamp, packages)


def must_start_over(stamp: dict[str, Any]) -> bool:
    """Return whether `.venv` is missing, moved, made by another Python, or was cut off half-way."""
    if stamp.get("cut_off_in"):
        print(f"the last call was cut off in the middle of {stamp['cut_off_in']}; starting afresh")
    return stamp.get("base") != interpreter() or bool(stamp.get("cut_off_in"))


def read_stamp(file: Path) -> dict[str, Any]:
    """Return the stamp, empty if there is none or it cannot be read."""
    try:
        stamp = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(file: Path, stamp: dict[str, Any]) -> None:
    """Write the stamp so that a reader sees the old or the new one, never half of it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    os.replace(new, file)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would let other Pythons' packages in."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment["PYTHONNOUSERSITE"] = "1"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    environment["PATH"] = os.pathsep.join([str(venv_python().parent), environment.get("PATH", os.defpath)])
    return environment


def _torch_and_third_party(stamp: dict[str, Any], constraints: str, outside: list[str]) -> None:
    wanted = text_hash(constraints, *outside)
    if stamp.get("third_party") == wanted:
        return
    torch = pinned("torch", constraints)
    options = ["-c", str(ROOT / "constraints.txt")]
    with _cut_off_is_noticed(stamp, "installing packages"):
        stamp["third_party"] = None
        # torch first and in its exact version: a looser request may bring GBs of another build.
        stage(f"installing {torch}", lambda: _pip("install", *options, torch))
        stage(
            f"installing {len(outside)} dependencies and what they need",
            lambda: _pip("install", *options, torch, *outside),
        )
        stamp["third_party"] = wanted


def _workspace_packages(stamp: dict[str, Any], packages: list[Package]) -> None:
    wanted = {package.name: fingerprint(package) for package in packages}
    installed: dict[str, str] = stamp["packages"]
    changed = [package for package in packages if installed.get(package.name) != wanted[package.name]]
    gone = sorted(set(installed) - set(wanted))
    if not changed and not gone:
        return
    if any(package.compiled for package in changed):
        require_fortran_compiler()
    with _cut_off_is_noticed(stamp, "installing the workspace"):
        if gone:
            stage(f"removing {', '.join(gone)}", lambda: _pip("uninstall", "-y", *gone))
        if changed:
            names = ", ".join(package.name + (" (compiling)" if package.compiled else "") for package in changed)
            stage(f"installing {names}", lambda: _pip(*install_arguments(changed)))
        stamp["packages"] = wanted


def install_arguments(packages: list[Package]) -> list[str]:
    """Return pip's arguments that install our packages in one call, compiled ones non-editable."""
    arguments = ["install", "--no-build-isolation", "--no-deps", "--force-reinstall"]
    for package in packages:
        arguments += [str(package.folder)] if package.compiled else ["-e", str(package.folder)]
    return arguments


def interpreter() -> str:
    """Return what identifies the Python that `.venv` is made by, and where `.venv` is."""
    return f"{VENV} {sys.version} {sys.base_prefix}"


def _make_venv() -> None:
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        raise EnvironmentProblem(venv_missing_message(sys.version_info[:2]))
    shutil.rmtree(VENV, ignore_errors=True)
    run_logged([sys.executable, "-m", "venv", str(VENV)])


def venv_missing_message(version: tuple[int, int]) -> str:
    """Return what to type when Python comes without its venv module, as on Debian."""
    return (
        f"this Python ({sys.executable}) has no venv module; type the next line, then the same "
        "command again (or take a Python that has it: make PYTHON=/path/to/python3 ...)\n"
        f"sudo apt-get install -y python{version[0]}.{version[1]}-venv"
    )


def _pip(*arguments: str) -> None:
    run_logged([str(venv_python()), "-m", "pip", *arguments], clean_environment())


@contextmanager
def _cut_off_is_noticed(stamp: dict[str, Any], what: str) -> Iterator[None]:
    """Keep a mark in the stamp while the body runs; taken away at the end or an orderly failure."""
    write_stamp(STAMP, {**stamp, "cut_off_in": what})
    try:
        yield
    except EnvironmentProblem:
        write_stamp(STAMP, stamp)
        raise
    write_stamp(STAMP, stamp)


@contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """Let a second call wait until the first one has prepared the environment."""
    if os.name != "posix":
        yield
        return
    import fcntl

    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another call is preparing .venv; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
