"""What it costs to keep a run while it runs, and whether its memory stays the same however long it is.

A loop of soil and vegetation and a river, daily steps on synthetic weather in a compressed netCDF file.
  streaming.memory.E.N   peak memory of a process that runs 10 times as many windows into a store as another; beside it,
                         as in_memory_ratio, the same without a store, which must grow: else the measurement is blind
                         and decides nothing. N cells, windows of 60 days. E reads the file: h5netcdf, or netcdf4, which
                         xarray takes by default and which keeps up to 64 MB of chunks of each variable.
  streaming.commit.N     a run whose windows are each committed with history, restart and record, against the same run
                         in memory; per cycle.
  streaming.readahead.N  a run that reads one window ahead from the file, against reading the file first and running
                         then, in memory both.
Before anything is timed, both sides must give the same numbers bit for bit.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from _report import Options, Report, options
from _timing import Estimate, Gate, Samples, interleave

from crest_core import Connection, Graph, registry, simulate
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather

PAIRS = 30
CELLS = 2000
WINDOW_DAYS = 60
WINDOWS = 6  # of a short run; a long one has LONGER times as many
LONGER = 10
PROCESSES = 3  # of each length
MEMORY = Gate("ratio", at_most=1.05)
ENGINES = ("h5netcdf", "netcdf4")
CHILD = "import streaming, sys; streaming.child(*sys.argv[1:])"


@dataclass(frozen=True)
class Case:
    """A folder with the weather of a run of so many windows."""

    folder: Path
    cells: int
    windows: int
    engine: str = "netcdf4"  # that reads the weather

    @property
    def forcing(self) -> Path:
        return self.folder / f"weather{self.windows}.nc"

    @property
    def end(self) -> str:
        return str(np.datetime64("2000-01-01") + np.timedelta64(self.windows * WINDOW_DAYS, "D"))

    def write(self) -> Case:
        """Write the weather, a chunk a window, compressed."""
        data = weather(self.windows * WINDOW_DAYS, self.cells, start="2000-01-01", seed=1).astype("float32")
        chunks = {"zlib": True, "chunksizes": (WINDOW_DAYS, self.cells)}
        data.to_netcdf(self.forcing, engine="h5netcdf", encoding={name: chunks for name in data.data_vars})
        return self


def main() -> None:
    """Measure every case and print a line for each."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-store", "icechunk", "zarr", "torch", "numpy", "xarray"))
    cells, windows = (200, 2) if chosen.quick else (CELLS, WINDOWS)
    with tempfile.TemporaryDirectory() as folder:
        short = Case(Path(folder), cells, windows).write()
        wanted = [engine for engine in ENGINES if chosen.wants(f"streaming.memory.{engine}.{cells}")]
        if wanted:
            long = Case(Path(folder), cells, windows * LONGER).write()
            for engine in wanted:
                measure_memory(replace(short, engine=engine), replace(long, engine=engine), report)
        if chosen.wants(f"streaming.commit.{cells}"):
            measure_commit(short, report)
        if chosen.wants(f"streaming.readahead.{cells}"):
            measure_reading(short, report)


def measure_memory(short: Case, long: Case, report: Report) -> None:
    """Compare the peak memory of a long run with that of a short one."""
    times = 1 if report.options.quick else PROCESSES
    stored = [(peak(short, "store", report.options), peak(long, "store", report.options)) for _ in range(times)]
    ratios = np.array([after / before for before, after in stored])
    ratio = Estimate(float(np.median(ratios)), float(ratios.min()), float(ratios.max()))
    in_memory = peak(long, "", report.options) / peak(short, "", report.options)
    sees_growth = in_memory > MEMORY.at_most
    report.line(
        f"streaming.memory.{short.engine}.{short.cells}",
        float(np.median([after for _, after in stored])),
        "MB",
        ratio=ratio,
        baseline=f"a run of a {LONGER}th of the length",
        gate=MEMORY,
        verdict=MEMORY.verdict(ratio) if sees_growth else "undecided",
        ratio_of="peak memory of the long run / of the short run; the interval is the range over the pairs",
        baseline_value=float(np.median([before for before, _ in stored])),
        in_memory_ratio=round(in_memory, 3),
        cells=short.cells,
        windows=[short.windows, long.windows],
        pairs=times,
    )


def measure_commit(case: Case, report: Report) -> None:
    """Compare a run into a store with the same run in memory."""
    numbers = count()

    def stored() -> xr.Dataset:
        return run(case, case.folder / f"run{next(numbers)}")

    def bare() -> xr.Dataset:
        return run(case)

    seconds = timed(stored, bare, report.options)
    report.compare(
        f"streaming.commit.{case.cells}",
        *seconds,
        unit="ms per cycle",
        scale=1e3 / case.windows,
        baseline="the same run in memory",
        cells=case.cells,
        windows=case.windows,
        values_a_cycle=WINDOW_DAYS * case.cells * 4,
    )


def measure_reading(case: Case, report: Report) -> None:
    """Compare reading ahead with reading first."""

    def first() -> xr.Dataset:
        with xr.open_dataset(case.forcing, engine=case.engine) as data:
            return simulated(case, data.load(), None)

    seconds = timed(lambda: run(case), first, report.options)
    report.compare(
        f"streaming.readahead.{case.cells}",
        *seconds,
        unit="ms per window",
        scale=1e3 / case.windows,
        baseline="reading the file first",
        cells=case.cells,
        windows=case.windows,
    )


def timed(ours: Callable[[], xr.Dataset], theirs: Callable[[], xr.Dataset], chosen: Options) -> tuple[Samples, Samples]:
    """Return the seconds of both sides, which give the same numbers."""
    if not ours().drop_attrs(deep=False).identical(theirs().drop_attrs(deep=False)):
        raise SystemExit("the two runs give other numbers, so that times cannot be compared")
    seconds = interleave({"ours": ours, "theirs": theirs}, chosen.pairs)
    return seconds["ours"], seconds["theirs"]


def run(case: Case, folder: Path | None = None) -> xr.Dataset:
    """Run on the file, into a store in `folder` or in memory."""
    with xr.open_dataset(case.forcing, engine=case.engine) as data:
        return simulated(case, data, folder)


def simulated(case: Case, data: xr.Dataset, folder: Path | None) -> xr.Dataset:
    """Return the outputs, read when needed where they are in a store."""
    parts = {"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}
    graph = Graph(parts, [Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)])
    settings = {"end": case.end, "window": f"{WINDOW_DAYS}D", "progress": False}
    if folder is None:
        return simulate(graph, data, **settings)
    with registry().load("archives", "icechunk")(folder) as archive:
        return simulate(graph, data, archive=archive, **settings)


def peak(case: Case, kind: str, chosen: Options) -> float:
    """Return the peak memory [MB] of a process of its own that does one run."""
    with tempfile.TemporaryDirectory() as folder:
        told = json.dumps(
            [str(case.folder), case.cells, case.windows, case.engine, folder if kind else "", chosen.threads]
        )
        command = [sys.executable, "-c", CHILD, told]
        result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    return float(result.stdout)


def child(told: str) -> None:
    """Do one run in this process and print its peak memory."""
    place, cells, windows, engine, folder, threads = json.loads(told)
    torch.set_num_threads(threads)
    run(Case(Path(place), cells, windows, engine), Path(folder) / "run" if folder else None)
    print(peak_of_this_process())


def peak_of_this_process() -> float:
    """Return the peak memory [MB] since the program began.

    Not ru_maxrss on Linux: it keeps the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes on macOS


if __name__ == "__main__":
    main()
