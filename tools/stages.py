"""The stages of `make check`: each runs one kind of check and says whether it passed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environment import clean_environment, venv_python
from packages import ROOT, find_packages

NO_TESTS_COLLECTED = 5
QUIET_MKDOCS = {"NO_MKDOCS_2_WARNING": "1"}  # of the theme, about versions that we do not use
BENCHMARK_KEYS = {"name", "value", "unit", "ratio", "interval", "baseline"}


@dataclass(frozen=True)
class Stage:
    """One kind of check: what it makes sure of, and the function that runs it."""

    what: str
    run: Callable[[], bool]


def summary_table(results: list[tuple[str, bool, float]]) -> str:
    """Return one line per stage: name, outcome, seconds."""
    width = max(len(name) for name, _, _ in results)
    lines = [
        f"{name:<{width}}  {'passed' if passed else 'FAILED'}  {seconds:7.1f} s" for name, passed, seconds in results
    ]
    return "\n".join(lines)


def benchmark_line_problem(line: str) -> str:
    """Return what is wrong with one printed line of a benchmark, or an empty text.

    >>> benchmark_line_problem('{"name": "coupling.loop.1"}')
    'lacks baseline, interval, ratio, unit, value'
    """
    try:
        record = json.loads(line)
    except ValueError:
        return "is not JSON"
    if not isinstance(record, dict):
        return "is not a JSON object"
    missing = sorted(BENCHMARK_KEYS - set(record))
    return f"lacks {', '.join(missing)}" if missing else ""


def test_variables() -> dict[str, str]:
    """Return the environment of a test run: one thread a process, no window for figures, what is compiled is kept."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    kept = {
        "PYTHONDONTWRITEBYTECODE": "",  # some machines set it, and tests start many processes
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / "build" / "jax-cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",  # every size
    }
    return {**clean_environment(), **threads, **kept, "MPLBACKEND": "Agg"}


def pytest_command(arguments: list[str], cores: int) -> list[str]:
    """Return the command of a test run in parallel; `--pdb` and the like need a single process."""
    one_process = {"--pdb", "-s", "--trace", "--collect-only", "--co"}
    parallel = cores > 1 and not one_process & set(arguments)
    spread = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"] if parallel else []  # long files come first
    return [str(venv_python()), "-m", "pytest", *spread, *arguments]


def run_pytest(arguments: list[str]) -> int:
    """Run the tests of the workspace in the prepared environment; returns pytest's exit status."""
    command = pytest_command(arguments, os.cpu_count() or 1)
    return subprocess.run(command, cwd=ROOT, env=test_variables()).returncode


def _succeeds(*arguments: str, **variables: str) -> bool:
    environment = {**clean_environment(), **variables}
    return subprocess.run([str(venv_python()), *arguments], cwd=ROOT, env=environment).returncode == 0


def _consistent() -> bool:
    return _succeeds("-m", "pip", "check")


def _fast_tests() -> bool:
    return run_pytest(["-m", "not slow"]) == 0


def _slow_tests() -> bool:
    return run_pytest(["-m", "slow"]) in (0, NO_TESTS_COLLECTED)


def _lint() -> bool:
    rules = _succeeds("-m", "ruff", "check", ".")
    return _succeeds("-m", "ruff", "format", "--check", ".") and rules


def _types() -> bool:
    sources = [package.folder / "src" for package in find_packages()]
    search_path = os.pathsep.join(str(folder) for folder in [*sources, ROOT / "tools"])
    folders = [str(folder.relative_to(ROOT)) for folder in sources]
    return _succeeds("-m", "mypy", *folders, "tools", MYPYPATH=search_path)


def _benchmarks() -> bool:
    scripts = sorted(path for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    if not scripts:
        print("benchmarks/ has no script")
    return bool(scripts) and all([_benchmark_prints_json(script) for script in scripts])


def _benchmark_prints_json(script: Path) -> bool:
    result = subprocess.run(
        [str(venv_python()), str(script), "--quick"],
        cwd=ROOT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    problems = [f"{line!r} {why}" for line in lines if (why := benchmark_line_problem(line))]
    if result.returncode:
        problems.append(f"ended with status {result.returncode}")
    if not lines:
        problems.append("printed nothing")
    print(f"{script.name}: {len(lines)} lines", *problems, sep="\n  ", flush=True)
    return not problems


def _docs() -> bool:
    return _succeeds("-m", "mkdocs", "build", "--strict", **QUIET_MKDOCS)


def _wheels() -> bool:
    return _succeeds(str(ROOT / "tools" / "wheel_check.py"))


STAGES = {
    "dependencies": Stage("what is installed fits together (pip check)", _consistent),
    "tests": Stage("the fast tests of every package", _fast_tests),
    "slow-tests": Stage("the tests marked slow", _slow_tests),
    "lint": Stage("ruff finds nothing and the format is ruff's", _lint),
    "types": Stage("mypy finds nothing", _types),
    "benchmarks": Stage("each benchmark prints valid JSON lines in quick mode", _benchmarks),
    "docs": Stage("the documentation builds with strict links", _docs),
    "wheels": Stage("each wheel, of crest new too, passes its tests beside its declared dependencies only", _wheels),
}
