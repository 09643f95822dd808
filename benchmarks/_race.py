"""A training raced against another: its clock, what it reached when, and the score, the same code for both sides.

Nothing of CREST and nothing of the other side is imported here.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def median_nse(simulated: Floats, observed: Floats) -> float:
    """Return the median over basins of NSE = 1 - sum (s - o)^2 / sum (o - mean o)^2 of (time, basin).

    Nash and Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6; runoff below 0 counts as 0, days without an observation
    do not count.

    >>> observed = np.array([[1.0, 2.0], [3.0, 2.5], [np.nan, 3.0]])
    >>> median_nse(np.where(np.isnan(observed), 9.0, observed), observed)
    1.0
    """
    if simulated.shape != observed.shape or not np.isfinite(simulated).all():
        sys.exit(f"{simulated.shape} finite numbers expected as observed {observed.shape}, got {simulated.shape}")
    observed = observed.astype(np.float64)
    error = (np.clip(simulated.astype(np.float64), 0.0, None) - observed) ** 2
    spread = (observed - np.nanmean(observed, axis=0)) ** 2
    return float(np.median(1.0 - np.nansum(error, axis=0) / np.nansum(spread, axis=0)))


@dataclass
class Clock:
    """Seconds of training: it stands while a validation runs. `loading` is the part in which batches were cut.

    >>> clock = Clock(spent=2.0)
    >>> clock.seconds
    2.0
    """

    spent: float = 0.0
    loading: float = 0.0
    since: float | None = None

    def start(self) -> None:
        """Run on."""
        self.since = perf_counter()

    def stop(self) -> None:
        """Stand still."""
        self.spent, self.since = self.seconds, None

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self.spent + (0.0 if self.since is None else perf_counter() - self.since)


@dataclass
class Curve:
    """The median NSE of the validation days after so many updates and seconds, in a file that is whole or not there.

    >>> curve = Curve(None, {}, [{"seconds": 1.0, "nse": 0.2}, {"seconds": 3.0, "nse": 0.4}])
    >>> curve.reached(0.3), curve.reached(0.5), curve.best()["nse"]
    (3.0, None, 0.4)
    """

    path: Path | None
    settings: dict[str, Any]
    points: list[dict[str, float]] = field(default_factory=list)

    @staticmethod
    def open(path: Path, settings: dict[str, Any]) -> Curve:
        """Return the curve of a file, or an empty one; one of other settings ends the script."""
        if not path.exists():
            return Curve(path, settings)
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["settings"] != json.loads(json.dumps(settings)):
            sys.exit(f"{path} is of other settings; name another --folder, or remove {path.parent}")
        return Curve(path, settings, held["points"])

    def add(self, clock: Clock, updates: int, epoch: int, nse: float) -> None:
        """Note a look at the validation days, and write the file."""
        point = {"updates": updates, "epoch": epoch, "seconds": clock.seconds, "loading": clock.loading, "nse": nse}
        self.points.append(point)
        self.write()
        print(f"{self.path}: update {updates}, {clock.seconds:.1f} s: median NSE {nse:.4f}", file=sys.stderr)

    def write(self) -> None:
        """Write the file."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"settings": self.settings, "points": self.points}, indent=1), encoding="utf-8")
        os.replace(part, self.path)

    def back_to(self, updates: int) -> Clock:
        """Forget looks after an update, which training goes on from, and return the clock there."""
        self.points = [point for point in self.points if point["updates"] <= updates]
        last = self.points[-1] if self.points else {"seconds": 0.0, "loading": 0.0}
        return Clock(last["seconds"], last["loading"])

    def best(self) -> dict[str, float]:
        """Return the first look with the highest NSE."""
        return max(self.points, key=lambda point: point["nse"])

    def reached(self, nse: float) -> float | None:
        """Return the seconds at the first look with that NSE or a higher one, None without."""
        return next((point["seconds"] for point in self.points if point["nse"] >= nse), None)
