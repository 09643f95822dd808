"""Training samples: windows out of memory, and out of a Zarr cube larger than the memory that is allowed.

  samples.memory.1   windows of 365 days, 1 feature and 1 target, shuffled, gathered by a Loader in batches of 256
  samples.memory.5   the same with 5 features; baseline: torch unfold of the same array, indexed by place and start
  samples.speed.*    the speed of the Loader in the same runs; baseline: the 0.6 M samples/s that are asked for
  samples.lazy       windows of 365 days, from every seventh day of a Zarr cube, by a BlockLoader; baseline: each window
                     read by itself with xarray, at random places and starts
  samples.peak       most memory that the BlockLoader takes; baseline: the memory that it was allowed
Every sample has its inputs (365 days x features) and its target copied into the batch. Views without a copy are not
timed: making one reads nothing. BlockLoaders run in processes of their own, after the cube is written; their peak
memory (VmHWM) is what comes on top of that of the process before the loader is made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from _report import Options, Report, options
from _timing import SHORTEST, Gate, interleave, median_estimate
from crest_samples import BlockLoader, Loader, Shuffled, Source, Window, make_samples, plan_samples
from crest_samples.example import days

DAYS = 365
BATCH = 256
FEATURES = (1, 5)
ENOUGH = 0.6  # M samples/s, from memory
PAIRS = 30
PLACES, STEPS = 600, 7300
CUBE = {"time": 7300, "y": 64, "x": 64}  # 2 variables of 120 MB each
CHUNKS = (365, 16, 16)
MEMORY = 100e6  # bytes for all blocks together, less than half of the cube
ROUNDS = 3
SEED = 7


def main() -> None:
    """Time all cases and print a line for each."""
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(read_blocks(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))
        return
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-samples", "torch", "numpy", "xarray", "zarr"))
    for features in FEATURES:
        if chosen.wants(f"samples.memory.{features}") or chosen.wants(f"samples.speed.{features}"):
            in_memory(features, chosen, report)
    if chosen.wants("samples.lazy") or chosen.wants("samples.peak"):
        lazy(chosen, report)


def in_memory(features: int, chosen: Options, report: Report) -> None:
    """Print the speed of a Loader beside that of torch unfold."""
    places, steps = (60, 1500) if chosen.quick else (PLACES, STEPS)
    random = np.random.default_rng(SEED)
    names = [f"feature_{i}" for i in range(features)]
    held = {
        name: (("time", "cell"), random.standard_normal((steps, places), np.float32)) for name in (*names, "target")
    }
    coordinates = {"time": days(steps), "cell_id": ("cell", np.arange(places).astype(str))}
    coordinates |= {name: ("cell", np.zeros(places)) for name in ("lat", "lon")}
    data = xr.Dataset(held, coordinates)
    samples = make_samples([Source(data, tuple(names))], [Source(data, ("target",))], Window(DAYS, targets="last"))
    batches = 4 if chosen.quick else 40
    loader = Loader(samples, Shuffled(len(samples)), BATCH, torch.Generator().manual_seed(SEED))
    ours = running(loader)
    series, targets = samples.inputs.series.values, samples.targets.series.values[..., 0]
    views = series.unfold(1, DAYS, 1)  # (place, start, feature, time)
    place, start = samples.index[torch.randperm(len(samples), generator=torch.Generator().manual_seed(SEED))].long().T

    def unfold() -> object:
        for first in range(0, batches * BATCH, BATCH):
            p, s = place[first : first + BATCH], start[first : first + BATCH]
            both = views[p, s], targets[p, s + DAYS - 1]
        return both

    def crest() -> object:
        for _ in range(batches):
            batch = ours()
        return batch

    check = samples[torch.arange(0, len(samples), len(samples) // 50)]
    if not torch.equal(check.inputs[names[0]].T, views[check.place, check.start, 0]):
        raise SystemExit("the loader and unfold differ, so that their times cannot be compared")
    shortest = 0.002 if chosen.quick else SHORTEST
    seconds = interleave({"crest": crest, "unfold": unfold}, chosen.pairs, shortest=shortest)
    facts = {"days": DAYS, "features": features, "batch": BATCH, "megabytes_held": round(series.nbytes / 1e6)}
    report.compare(
        f"samples.memory.{features}",
        seconds["crest"] / (batches * BATCH),
        seconds["unfold"] / (batches * BATCH),
        unit="us per sample",
        scale=1e6,
        baseline="torch unfold, indexed",
        speed=True,
        **facts,
    )
    speeds = batches * BATCH / seconds["crest"] / 1e6
    gate, ratio = Gate("ratio", at_least=1.0, widest=np.inf), median_estimate(speeds / ENOUGH, report.generator)
    report.line(
        f"samples.speed.{features}",
        float(np.median(speeds)),
        "M samples/s",
        ratio=ratio,
        baseline=f"{ENOUGH} M samples/s",
        ratio_of="speed of CREST / what is asked for",
        gate=gate,
        verdict=gate.verdict(ratio),
        pairs=chosen.pairs,
        **facts,
    )


def running(loader: Loader) -> Callable[[], object]:
    """Return a function that gives the next batch, epoch after epoch."""
    batches = [iter(loader)]

    def step() -> object:
        batch = next(batches[0], None)
        if batch is None:
            batches[0] = iter(loader)
            batch = next(batches[0])
        return batch

    return step


def lazy(chosen: Options, report: Report) -> None:
    """Print the speed of a BlockLoader over a Zarr cube beside reading each window by itself, and its peak memory."""
    sizes = {"time": 1095, "y": 32, "x": 32} if chosen.quick else CUBE
    memory = 40e6 if chosen.quick else MEMORY
    rounds, singles = (1, 5) if chosen.quick else (ROUNDS, 40)
    with tempfile.TemporaryDirectory() as folder:
        whole, quarter = Path(folder) / "whole.zarr", Path(folder) / "quarter.zarr"
        size = write_cube(whole, sizes)
        write_cube(quarter, sizes | {"y": sizes["y"] // 2, "x": sizes["x"] // 2})
        found, small, single = [], [], []
        for _ in range(rounds):
            found.append(in_a_process(whole, memory, chosen.threads))
            single.append(read_singly(whole, singles))
            small.append(in_a_process(quarter, memory, chosen.threads))
    facts = {
        "samples": found[0]["samples"],
        "blocks": found[0]["blocks"],
        "cube_megabytes": round(size / 1e6),
        "memory_allowed_megabytes": round(memory / 1e6),
        "days": DAYS,
    }
    each = np.array([one["seconds"] / one["samples"] for one in found])
    report.compare(
        "samples.lazy",
        each,
        np.array(single),
        unit="us per sample",
        scale=1e6,
        baseline="xarray, one window at a time",
        speed=True,
        gate=Gate("ratio", at_least=20.0, widest=np.inf),
        samples_per_second=round(1 / float(np.median(each))),
        **facts,
    )
    peaks, others = (np.array([one["peak"] for one in runs]) / 1e6 for runs in (found, small))
    gate, ratio = Gate("ratio", at_most=1.1, widest=np.inf), median_estimate(peaks / memory * 1e6, report.generator)
    report.line(
        "samples.peak",
        float(np.median(peaks)),
        "MB",
        ratio=ratio,
        baseline="memory allowed",
        baseline_value=memory / 1e6,
        ratio_of="peak memory / memory allowed",
        peak_for_a_quarter_of_the_cube=round(float(np.median(others))),
        gate=gate,
        verdict=gate.verdict(ratio),
        pairs=rounds,
        **facts,
    )


def in_a_process(path: Path, memory: float, threads: int) -> dict[str, float]:
    """Return what `read_blocks` finds in a new process."""
    command = [sys.executable, __file__, "--child", str(path), str(memory), str(threads)]
    made: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return made


def write_cube(path: Path, sizes: dict[str, int]) -> int:
    """Write rain and temperature in chunks, a year at a time; return their size in bytes."""
    random = np.random.default_rng(SEED)
    for first in range(0, sizes["time"], DAYS):
        shape = (min(DAYS, sizes["time"] - first), sizes["y"], sizes["x"])
        values = {name: (("time", "y", "x"), random.standard_normal(shape, np.float32)) for name in ("rain", "flow")}
        times = days(sizes["time"])[first : first + shape[0]]
        degrees = {"lat": ("y", np.linspace(-40, 40, shape[1])), "lon": ("x", np.linspace(-60, 60, shape[2]))}
        piece = xr.Dataset(values, {"time": times, **degrees})
        if first:
            piece.drop_vars(["lat", "lon"]).to_zarr(path, append_dim="time", consolidated=False)
        else:
            encoding = {name: {"chunks": CHUNKS} for name in values}
            piece.to_zarr(path, encoding=encoding, consolidated=False)
    return 2 * 4 * sizes["time"] * sizes["y"] * sizes["x"]


def read_blocks(path: Path, memory: float, threads: int) -> dict[str, float]:
    """Return seconds and number of samples of one epoch, of windows from every seventh day, and the peak memory."""
    torch.set_num_threads(threads)
    source = xr.open_zarr(path, chunks=None, consolidated=False)
    sources = [Source(source, ("rain",))], [Source(source, ("flow",))]
    before = peak_memory()
    start = time.perf_counter()
    plan = plan_samples(*sources, Window(DAYS, targets="last"), every=7)
    loader = BlockLoader(plan, BATCH, torch.Generator().manual_seed(SEED), memory=memory)
    samples = sum(len(batch) for batch in loader)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "samples": samples, "blocks": len(loader.blocks), "peak": peak_memory() - before}


def read_singly(path: Path, count: int) -> float:
    """Return the seconds that a window takes which is read by itself, inputs and target."""
    cube = xr.open_zarr(path, chunks=None, consolidated=False)
    random = np.random.default_rng(SEED)
    start = time.perf_counter()
    for _ in range(count):
        y, x, first = (
            int(random.integers(cube.sizes[dim] - (DAYS if dim == "time" else 0))) for dim in ("y", "x", "time")
        )
        torch.from_numpy(cube["rain"].isel(y=y, x=x, time=slice(first, first + DAYS)).values)
        torch.tensor(cube["flow"].isel(y=y, x=x, time=first + DAYS - 1).values)
    return (time.perf_counter() - start) / count


def peak_memory() -> float:
    """Return the most memory that this process has held so far [bytes]; nan where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), float("nan"))


if __name__ == "__main__":
    main()
