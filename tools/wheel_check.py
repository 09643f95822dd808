"""Build every wheel and run each package's tests beside nothing but its declared dependencies.

Every package gets a virtual environment of its own with its wheel, the wheels of the workspace
that it declares, and its extra `test`; constraints.txt holds for all. What crest-core needs from
outside (torch above all) is installed once and shared by those that declare crest-core. The packages that
`crest new` renders, my-<template>, are checked in the same way, and used by `crest list` and `crest check`.

Run it by `make check ARGS=wheels`; names of packages as arguments leave out the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from environment import clean_environment, venv_python
from packages import ROOT, Package, find_packages, pinned, requirement_name
from rendered import render_packages, use_as_a_reader_would

WORK = ROOT / "build" / "wheel-check"
WHEELHOUSE = WORK / "wheelhouse"
SHARED = WORK / "shared"
RENDERED = WORK / "rendered"
SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"
LINES_SHOWN = 30


class Failure(Exception):
    """A wheel, an installation or a test run that is not as it should be."""


@dataclass(frozen=True)
class Result:
    """What came of one package."""

    name: str
    problem: str
    summary: str
    seconds: float


def main(names: list[str]) -> int:
    """Check the named packages, or all; returns 0 if every one passes."""
    rmtree(WORK, ignore_errors=True)
    WHEELHOUSE.mkdir(parents=True)
    start = time.monotonic()
    try:
        packages = find_packages() + rendered_packages()
        chosen = [package for package in packages if package.name in names or not names]
        wheels = build_wheels(packages)
        print(f"built {len(wheels)} wheels in {time.monotonic() - start:.0f} s", flush=True)
        start = time.monotonic()
        install_shared(packages)
        print(f"installed what crest-core needs in {time.monotonic() - start:.0f} s", flush=True)
    except Failure as failure:
        print(failure)
        return 1
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        results = list(pool.map(lambda package: check(package, packages, wheels), chosen))
    rmtree(WORK, ignore_errors=True)
    return 1 if any(result.problem for result in results) else 0


def rendered_packages() -> list[Package]:
    """Return what `crest new` renders in the prepared environment."""
    from crest_templates import TEMPLATES

    return render_packages(list(TEMPLATES), RENDERED, lambda words: _run([sys.executable, "-m", *words]))


def build_wheels(packages: list[Package]) -> dict[str, Path]:
    """Return the wheel of each package by name, built without downloading build backends."""
    folders = [str(package.folder) for package in packages]
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    _run([*pip, "--wheel-dir", str(WHEELHOUSE), *folders])
    wheels = {requirement_name(file.name.split("-")[0]): file for file in WHEELHOUSE.iterdir()}
    for package in packages:
        wheel = wheels.get(requirement_name(package.name))
        if wheel is None:
            raise Failure(f"{package.name} built no wheel of its name")
        with zipfile.ZipFile(wheel) as archive:
            problem = wheel_problem(wheel.name, archive.namelist(), package)
        if problem:
            raise Failure(f"{wheel.name} {problem}")
    return wheels


def wheel_problem(wheel: str, files: list[str], package: Package) -> str:
    """Return what is wrong with a wheel's name or contents, or an empty text."""
    module = package.name.replace("-", "_")
    if f"-{package.project['version']}-" not in wheel:
        return f"is not of version {package.project['version']}"
    if not package.compiled and not wheel.endswith("-py3-none-any.whl"):
        return "is bound to a platform, though nothing is compiled"
    if package.compiled and "-py3-none-" not in wheel:
        return "is bound to one version of Python; set wheel.py-api to py3"
    foreign = sorted({file.split("/")[0] for file in files if not file.startswith(f"{module}")})
    if foreign:
        return f"holds {', '.join(foreign)} beside {module}"
    left_over = [file for file in files if "/." in file or "__pycache__" in file]
    return f"holds {left_over[0]}" if left_over else ""


def install_shared(packages: list[Package]) -> None:
    """Install what crest-core and the packages below it declare from outside the workspace, torch first."""
    core = next(package for package in packages if package.name == "crest-core")
    below = {"crest-core", *workspace_needs(core, packages)}
    own = {requirement_name(package.name) for package in packages}
    lines = [line for package in packages if requirement_name(package.name) in below for line in package.dependencies]
    make_venv(SHARED)
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pip_install(SHARED, [pinned("torch", constraints)])
    pip_install(SHARED, sorted({line for line in lines if requirement_name(line) not in own}))


def check(package: Package, packages: list[Package], wheels: dict[str, Path]) -> Result:
    """Install one package's wheel, its dependencies and its test extra, and run its tests."""
    start = time.monotonic()
    problem, summary = "", ""
    environment = WORK / package.name
    try:
        make_venv(environment)
        needed = workspace_needs(package, packages)
        if package.name == "crest-core" or "crest-core" in needed:
            share(environment)
        own = f"{package.name}[test] @ {wheels[requirement_name(package.name)].as_uri()}"
        pip_install(environment, [own, *(str(wheels[name]) for name in sorted(needed))])
        _run([*pip_for(environment), "check"])
        summary = run_tests(package, environment)
        if package.folder.is_relative_to(RENDERED):
            command = [str(venv_python(environment)), "-W", "ignore", "-m"]
            summary += f"; {use_as_a_reader_would(package, lambda words: _run([*command, *words], tool=environment))}"
    except (Failure, ValueError) as failure:
        problem = str(failure)
    rmtree(environment, ignore_errors=True)
    result = Result(package.name, problem, summary, time.monotonic() - start)
    print(f"{result.name}: {problem or summary} ({result.seconds:.0f} s)", flush=True)
    return result


def workspace_needs(package: Package, packages: list[Package]) -> set[str]:
    """Return the packages of the workspace that this one declares, directly or by another one."""
    by_name = {requirement_name(other.name): other for other in packages}
    needed: set[str] = set()
    lines = [*package.dependencies, *package.extras.get("test", [])]
    while lines:
        name = requirement_name(lines.pop())
        if name in by_name and name not in needed and name != requirement_name(package.name):
            needed.add(name)
            lines += by_name[name].dependencies
    return needed


def make_venv(folder: Path) -> None:
    """Make an empty virtual environment; pip works on it from outside."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")


def share(environment: Path) -> None:
    """Let an environment see what was installed for crest-core."""
    query = [str(venv_python(environment)), "-c", SITE_PACKAGES]
    own = Path(subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip())
    shared = SHARED / own.relative_to(environment)
    (own / "shared.pth").write_text(f"{shared}\n", encoding="utf-8")


def pip_for(environment: Path) -> list[str]:
    """Return the command that runs our pip on another environment, which has none of its own."""
    return [sys.executable, "-m", "pip", "--python", str(venv_python(environment))]


def pip_install(environment: Path, requirements: list[str]) -> None:
    """Install requirements into an environment under the constraints."""
    options = ["install", "--no-compile", "-c", str(ROOT / "constraints.txt")]
    _run([*pip_for(environment), *options, *requirements])


def run_tests(package: Package, environment: Path) -> str:
    """Run a package's fast tests against its installed wheel; returns pytest's closing line."""
    command = [str(venv_python(environment)), "-m", "pytest", "tests", "-q", "-m", "not slow"]
    command += ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    output = _run(command, folder=package.folder, tool=environment)
    return output.strip().splitlines()[-1].strip("= ")


def _run(command: list[str], folder: Path = ROOT, tool: Path | None = None) -> str:
    variables = clean_environment()
    if tool is not None:
        programs = str(venv_python(tool).parent)
        variables["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    variables |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    result = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        end = "\n".join("    " + line for line in result.stdout.splitlines()[-LINES_SHOWN:])
        raise Failure(f"`{' '.join(command[-4:])}` ended with status {result.returncode}\n{end}")
    return result.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
