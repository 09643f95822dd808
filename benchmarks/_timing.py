"""Time callables in turn and compare them pair by pair: medians with bootstrap intervals, and a verdict on a gate.

A machine that is busy for a second slows both members of a pair, so that their ratio is steadier than their times.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5000
CONFIDENCE = 0.95
SHORTEST = 0.02  # s in a turn, so that what the run before left in the caches does not matter
WIDEST = 0.03  # half the width of an interval of a ratio above which nothing is decided

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A median with the ends of its 95 percent bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Gate:
    """A limit on an estimate: `at_most` or `at_least`; `widest` is the half width above which it is undecided.

    >>> Gate("ratio", at_most=1.05).verdict(Estimate(1.01, 1.00, 1.02))
    'met'
    >>> Gate("ratio", at_most=1.05).verdict(Estimate(1.01, 0.90, 1.04))
    'undecided'
    """

    quantity: str
    """What the limit is on: "ratio", or "excess" (ours - baseline) in the unit of the line."""
    at_most: float = float("inf")
    at_least: float = float("-inf")
    widest: float = WIDEST

    def verdict(self, estimate: Estimate) -> str:
        """Return "met" if the whole interval is inside, "missed" if all of it is outside, else "undecided".

        An interval wider than `widest` is never "met"; one that is narrow and holds the limit is "missed", because
        its worse end does not meet the gate.
        """
        if estimate.low > self.at_most or estimate.high < self.at_least:
            return "missed"
        if estimate.half_width > self.widest:
            return "undecided"
        return "met" if estimate.high <= self.at_most and estimate.low >= self.at_least else "missed"

    def describe(self) -> str:
        """Return the limit in words, as "ratio <= 1.05"."""
        if np.isfinite(self.at_most):
            return f"{self.quantity} <= {self.at_most:g}"
        return f"{self.quantity} >= {self.at_least:g}"


def interleave(
    runs: Mapping[str, Callable[[], object]], rounds: int, *, shortest: float = SHORTEST
) -> dict[str, Samples]:
    """Return the seconds of every round of every run; each round times all of them.

    The order rotates and turns around, so that no run always follows the same other one. What takes less than
    `shortest` seconds is repeated within its turn, and the mean is kept. Untimed runs come first. The garbage
    collector stays on, but does not see what existed before.
    """
    names = list(runs)
    repeats = {name: _repeats(runs[name], shortest) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            turn = number // 2 % len(names)
            order = names[turn:] + names[:turn]
            for name in order if number % 2 else reversed(order):
                gc.collect()
                seconds[name].append(_seconds(runs[name], repeats[name]))
    finally:
        gc.unfreeze()
    return {name: np.array(values) for name, values in seconds.items()}


def median_estimate(samples: Samples, generator: np.random.Generator) -> Estimate:
    """Return the median with its percentile bootstrap interval, from 5000 resamples; Efron (1979)."""
    drawn = generator.integers(len(samples), size=(RESAMPLES, len(samples)))
    medians = np.median(samples[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(np.median(samples)), float(low), float(high))


def _seconds(run: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def _repeats(run: Callable[[], object], shortest: float) -> int:
    run()
    quickest = min(_seconds(run, 1) for _ in range(3))  # one alone may have been held up
    return max(1, round(shortest / quickest))
