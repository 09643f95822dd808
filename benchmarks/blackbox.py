"""A Fortran model as a component: what a call costs beyond raw cffi, and calibration by gradients against SCE-UA.

Calls, of the soil-water bucket of crest-fortran, one day for 1 and for 1,000 columns, against a raw cffi call with
pointers made beforehand:
  call.inprocess  FortranLibrary.arrays and run in this process: the adapter
  call.child      the same with the library in a child process (the default), behind shared memory: a round trip
  step.inprocess  the whole component: parameters kept in bounds, tensors in and out, every output checked
  step.child      the same with the library in a child process
Calibration, of 21 parameters from a year of noisy soil moisture of a known soil at one cell, to an NSE 0.01 below that
of the truth, from 5 random starts:
  by gradients    L-BFGS; finite differences of all parameters and states travel as columns of one call per step
  SCE-UA          spotpy, on a bare loop over the library, which is the fastest way to run it
calibration.runs counts a gradient as all the columns that it runs; calibration.evaluations counts it as one run;
calibration.seconds is all in all; it is compared also with SCE-UA if its runs went, as the gradients do, through the
component (computed: runs x seconds of one run), since a model that is coupled to others has no faster way.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from _calibration import DAY, LIBRARY, Problem, by_gradients, by_sceua
from _report import Report, options
from _timing import SHORTEST, Gate, interleave, median_estimate
from cffi import FFI
from crest_fortran import FortranComponent, FortranLibrary

from crest_core import Sizes

COLUMNS = (1, 1000)
PAIRS = 60
RAW = "raw cffi call"
SCEUA = "SCE-UA, spotpy 1.6.7"
WAYS = ("call.inprocess", "call.child", "step.inprocess", "step.child")
STARTS = 5
PROBLEM_SEED = 3
BELOW_TRUTH = 0.01  # NSE
MOST_EVALUATIONS, MOST_RUNS = 80, 4000

Call = Callable[[], object]


def main() -> None:
    """Time the calls, then the calibrations."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-fortran", "cffi", "spotpy", "torch", "numpy"))
    for columns in COLUMNS:
        if any(chosen.wants(f"blackbox.{way}.{columns}") for way in WAYS):
            measure_calls(columns, report)
    if chosen.wants("blackbox.calibration"):
        measure_calibration(report)


def measure_calls(columns: int, report: Report) -> None:
    """Time the ways to advance all columns by a day in one go, and print a line for each."""
    ways = ways_to_call(columns)
    seconds = interleave(ways, report.options.pairs, shortest=0.002 if report.options.quick else SHORTEST)
    for name in list(ways)[1:]:
        gated = name == "call.inprocess" and columns == 1
        report.compare(
            f"blackbox.{name}.{columns}",
            seconds[name],
            seconds[RAW],
            unit="us per call",
            scale=1e6,
            baseline=RAW,
            gate=Gate("excess", at_most=2.0, widest=0.5) if gated else None,
            columns=columns,
        )


def ways_to_call(columns: int) -> dict[str, Call]:
    """Return the raw call first, then those of the adapter and of the component, on the same numbers."""
    component, in_child = (FortranComponent(LIBRARY, isolation=isolation) for isolation in ("none", "process"))
    state = component.initial_state(Sizes({"cell": columns}))
    rain, demand = (torch.full((columns,), value, dtype=torch.float64) for value in (5.0, 2.0))
    inputs = {"precipitation_flux": rain, "water_evapotranspiration_flux": demand}
    with torch.no_grad():
        component.step(state, inputs, 0)
    adapter, child = component.library, FortranLibrary(LIBRARY)
    filled = adapter.arrays(columns)
    for target, source in zip(child.arrays(columns), filled, strict=True):
        target[...] = source

    def run(library: FortranLibrary) -> Call:
        def call() -> None:
            library.arrays(columns)
            library.run(DAY)

        return call

    def step(model: FortranComponent) -> Call:
        return torch.no_grad()(lambda: model.step(state, inputs, 0))

    return {
        RAW: raw_call(columns, [np.array(block) for block in filled]),
        "call.inprocess": run(adapter),
        "call.child": run(child),
        "step.inprocess": step(component),
        "step.child": step(in_child),
    }


def raw_call(columns: int, blocks: list[np.ndarray]) -> Call:
    """Return the call of the library's own function, with pointers into these blocks."""
    ffi = FFI()
    ffi.cdef("int32_t crest_step(int32_t, double, const double *, const double *, const double *, double *, double *);")
    library = ffi.dlopen(str(LIBRARY))
    function = library.crest_step
    forward = blocks[:5]  # parameters, inputs, states before and after, outputs; what is after them is of the adjoint
    pointers = [ffi.from_buffer("double[]", block) for block in forward]

    def call() -> None:
        if function(columns, DAY, *pointers):
            raise SystemExit("the library returned an error")

    return call


def measure_calibration(report: Report) -> None:
    """Calibrate from several starts in both ways, and print what it took to reach the same score."""
    quick = report.options.quick
    problem = Problem(PROBLEM_SEED)
    target = problem.best - (0.3 if quick else BELOW_TRUTH)
    starts = range(1, (1 if quick else STARTS) + 1)
    pairs = []
    for seed in starts:
        found = by_gradients(problem, seed, 3 if quick else MOST_EVALUATIONS, target).reached(target)
        searched = by_sceua(problem, seed, 100 if quick else MOST_RUNS).reached(target)
        if found and searched:
            pairs.append((*found, *searched))
    evaluations, seconds, runs, sceua_seconds = np.array(pairs, dtype=float).reshape(-1, 4).T
    coupled = runs * seconds_of_a_run(problem)
    through = f"{SCEUA}, through the component"
    for name, unit, ours, theirs, baseline in (
        ("runs", "model runs", evaluations * problem.columns, runs, SCEUA),
        ("evaluations", "gradients", evaluations, runs, SCEUA),
        ("seconds", "s", seconds, sceua_seconds, SCEUA),
        ("seconds", "s", seconds, coupled, through),
    ):
        reached = len(ours) > 0
        report.line(
            f"blackbox.calibration.{name}",
            float(np.median(ours)) if reached else None,
            unit,
            ratio=median_estimate(ours / theirs, report.generator) if reached else None,
            baseline=baseline,
            ratio_of="CREST / baseline",
            baseline_value=float(f"{np.median(theirs):.5g}") if reached else None,
            pairs=len(ours),
            starts=len(starts),
            nse=round(target, 4),
        )


def seconds_of_a_run(problem: Problem) -> float:
    """Return the seconds of a year through the component, without gradients."""
    loss = problem.loss(problem.component(seed=0))
    with torch.no_grad():
        loss()
        began = time.perf_counter()
        loss()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
