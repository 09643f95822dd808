"""Print a comparison as one JSON line on stdout, and as words on stderr; read the options all benchmarks share."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _timing import Estimate, Gate, Samples, median_estimate

PAIRS = 200  # of runs of some milliseconds; a script with longer ones asks for fewer, never below 30
QUICK_PAIRS = 4
SEED = 20261122  # of the bootstrap only

READING = """
Each line on stdout is a JSON object; the words on stderr are for you. In a line:
  value      median of CREST, in `unit`; baseline_value the same for `baseline`
  ratio      median over the pairs of what `ratio_of` says; interval: its 95 percent bootstrap interval
  excess     median over the pairs of CREST - baseline in `unit`, with excess_interval
  gate       the limit to be kept, "" if there is none; verdict: met, undecided (interval too wide) or missed
Keep lines with:  python benchmarks/NAME.py >> benchmarks/results/YEAR-MONTH.jsonl
"""


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    pairs: int
    threads: int
    quick: bool
    only: str

    def wants(self, name: str) -> bool:
        """Return whether a comparison was asked for: `only` is one or more parts of its name, or empty.

        >>> Options(30, 1, quick=False, only="forward.1").wants("sequence.forward.16")
        False
        """
        return not self.only or f".{self.only}." in f".{name}."


def options(doc: str, arguments: Sequence[str] | None = None, *, pairs: int = PAIRS) -> Options:
    """Return the options of the command line and set the threads of torch; `doc` is the help."""
    parser = argparse.ArgumentParser(
        description=doc, epilog=READING, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", type=int, default=pairs, help="interleaved pairs per comparison (default %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of torch, fixed for the run (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_PAIRS} short pairs: checks that it runs, decides nothing"
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="PARTS",
        help="only the comparisons with these parts in their name, as chain or loop.1",
    )
    given = parser.parse_args(arguments)
    if given.pairs < 1 or given.threads < 1:
        parser.error("--pairs and --threads are 1 or more")
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    return Options(QUICK_PAIRS if given.quick else given.pairs, given.threads, given.quick, given.only)


@dataclass(frozen=True)
class Report:
    """Prints lines that share one run: its options, machine, versions and date."""

    options: Options
    distributions: tuple[str, ...]
    """Whose versions belong to the figures."""
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def compare(
        self,
        name: str,
        ours: Samples,
        theirs: Samples,
        *,
        unit: str,
        scale: float,
        baseline: str,
        speed: bool = False,
        gate: Gate | None = None,
        **extra: Any,
    ) -> None:
        """Print the comparison of paired seconds; `scale` turns seconds into `unit`.

        The ratio is time of CREST / time of the baseline, or, with `speed`, the inverse.
        """
        ratios = theirs / ours if speed else ours / theirs
        ratio = median_estimate(ratios, self.generator)
        excess = median_estimate((ours - theirs) * scale, self.generator)
        measured = {"ratio": ratio, "excess": excess}
        self.line(
            name,
            float(np.median(ours)) * scale,
            unit,
            ratio=ratio,
            baseline=baseline,
            gate=gate,
            verdict=gate.verdict(measured[gate.quantity]) if gate else "",
            ratio_of="speed of CREST / speed of baseline" if speed else "time of CREST / time of baseline",
            baseline_value=_round(float(np.median(theirs)) * scale),
            excess=_round(excess.value),
            excess_interval=[_round(excess.low), _round(excess.high)],
            pairs=len(ours),
            **extra,
        )

    def line(
        self,
        name: str,
        value: float | None,
        unit: str,
        *,
        ratio: Estimate | None,
        baseline: str,
        gate: Gate | None = None,
        verdict: str = "",
        **extra: Any,
    ) -> None:
        """Print one line; `value` and `ratio` are None where something was not reached."""
        record = {
            "name": name,
            "value": None if value is None else _round(value),
            "unit": unit,
            "ratio": None if ratio is None else _round(ratio.value),
            "interval": None if ratio is None else [_round(ratio.low), _round(ratio.high)],
            "baseline": baseline,
            "gate": gate.describe() if gate else "",
            "verdict": "undecided" if gate and self.options.quick else verdict,
            **extra,
            "quick": self.options.quick,
            "threads": self.options.threads,
            "machine": machine(),
            "allocator": allocator(),
            "versions": self._versions(),
            "commit": commit(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        print(json.dumps(record), flush=True)
        print(in_words(record), file=sys.stderr, flush=True)

    def _versions(self) -> dict[str, str]:
        return {"python": platform.python_version()} | {name: _version(name) for name in self.distributions}


def in_words(record: dict[str, Any]) -> str:
    """Return the line for people: name, value, ratio with interval, baseline, gate and verdict."""
    value = "nothing" if record["value"] is None else f"{record['value']:.4g}"
    text = f"{record['name']:<34} {value:>9} {record['unit']}"
    if record["ratio"] is not None:
        low, high = record["interval"]
        text += f"  {record['ratio']:.3f} [{low:.3f}, {high:.3f}] x {record['baseline']}"
    if record["gate"]:
        text += f"  {record['gate']}: {record['verdict']}"
    return text


def machine() -> str:
    """Return the processor and the number of cores."""
    model = platform.processor() or platform.machine()
    table = Path("/proc/cpuinfo")
    if table.exists():
        names = [line.partition(":")[2].strip() for line in table.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


@cache
def commit() -> str:
    """Return the commit of this repository, with "-dirty" if files but records were changed; "" outside of one."""
    folder = Path(__file__).parent
    try:
        found, changed = (
            subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True).stdout.strip()
            for words in (
                ["rev-parse", "--short", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/benchmarks/results"],
            )
        )
    except OSError:
        return ""
    return f"{found}-dirty" if changed else found


def allocator() -> str:
    """Return how the environment changes the C library's memory allocator, "default" if it does not."""
    changed = sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith("MALLOC_"))
    return " ".join(changed) or "default"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _round(value: float) -> float:
    return float(f"{value:.5g}")
