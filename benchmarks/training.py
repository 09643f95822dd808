"""Training in mini-batches: `crest_training.train` beside a bare torch loop, and beside NeuralHydrology 1.13.

  training.batches      batches per second: an LSTM of hidden 256 with a linear head and dropout 0.4, batches of 64
                        samples of 730 steps of 32 inputs, of which 365 are scored, mean squared error, Adam, clipped
                        gradients; samples are cut by crest-samples and train the component of the backend torch-lstm
    bare torch loop     nn.LSTM and nn.Linear on arrays that were scaled beforehand, windows cut by indexing
    neuralhydrology     its trainer, loader, model and loss; predict_last_n is 365
                        Without dropout all sides must give the same losses, batch for batch, from the same weights in
                        the same order, before anything is timed. Denormal numbers are flushed on all sides.
  training.race.default seconds of training until the median NSE of the validation days that NeuralHydrology reaches in
                        --minutes; 24 basins of CAMELS-US, hidden 64, trained on 1999-10 to 2006-09, scored on 2006-10
                        to 2008-09; it has loss, batch, rates and dropout of Kratzert et al. (2019) and predict_last_n 1
  training.race.window  the same with its predict_last_n set to the whole window
                        Both sides: same days, basins, inputs, metric, threads and hidden size; each its own way to
                        train. The clock stands during validation; loading is the part of the seconds in which
                        batches were cut; opening, which does not count, is all that comes before the first batch.
                        NeuralHydrology's seconds are those at which it first had its best NSE, fewer than --minutes;
                        ours are of three seeds, whose least and most the interval is.

The race takes 40 minutes twice, then a few for ours: in --folder DIR (default output/race) lie the curves, and what is
needed to go on where it was stopped. --minutes N for less. Data: the folder camels_us of CREST_DATA_DIR.
Without NeuralHydrology: python -m pip install -c constraints.txt -r benchmarks/requirements-training.txt
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from _neuralhydrology_side import ABSENT, Batches, installed, prepare
from _neuralhydrology_side import race as race_theirs
from _race import Curve
from _race_ours import QUICK, Plan, basins, neuralhydrology
from _race_ours import race as race_ours
from _report import Options, Report, options
from _skill_data import Basins
from _timing import Estimate, Gate, interleave
from _training_case import Bare, Case, Crest, keep_weights, make
from _training_case import neuralhydrology as neuralhydrology_batches

PAIRS = 30
DROPOUT = 0.4
RACES = {"default": 10.0, "window": 2.0}
DISTRIBUTIONS = ("crest-core", "crest-samples", "crest-torch", "crest-training", "terrahydro-streamflow", "torch",
                 "neuralhydrology")  # fmt: skip


def main() -> None:
    """Compare batches per second, then race."""
    ours, rest = _own_options(sys.argv[1:])
    chosen = options(__doc__ or "", rest, pairs=PAIRS)
    report = Report(chosen, DISTRIBUTIONS)
    if not installed():
        print(ABSENT, file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="training-") as scratch:
        if chosen.wants("training.batches"):
            case = Case(hidden=16, batch=8, steps=30, spin_up=30, inputs=3) if chosen.quick else Case()
            compare(case, chosen, report, Path(scratch) / "batches")
        folder = Path(scratch) if chosen.quick else ours.folder
        wanted = [name for name in RACES if chosen.wants(f"training.race.{name}")]
        if wanted and installed():
            run_races(wanted, chosen, report, folder, 0.2 if chosen.quick else ours.minutes * 60)


def _own_options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--folder", type=Path, default=Path("output/race"))
    return parser.parse_known_args(arguments)


def compare(case: Case, chosen: Options, report: Report, folder: Path) -> None:
    """Check that all sides learn the same, and time them."""
    data = make(case)
    crest = Crest(case, data)
    index = crest.loader().samples.index
    bare = Bare(case, data, index)
    expected = bare.train()
    _check("crest", crest.train(), expected)
    dropped = replace(case, dropout=DROPOUT)
    runs: dict[str, Callable[[], object]] = {"crest": Crest(dropped, data).train}
    runs["torch"] = Bare(dropped, data, index).train
    with ExitStack() as stack:
        if installed():
            setup = neuralhydrology_batches(case, data)
            prepare(folder, data, setup, threads=chosen.threads, flush_denormals=True)
            process = stack.enter_context(Batches(folder))
            keep_weights(bare.model(), folder / "weights.pt")
            length = case.spin_up + case.steps
            order = [(str(int(bare.place[n])), int(bare.start[n]) + length - 1) for n in bare.order()]
            halves = process.losses(folder / "weights.pt", order, DROPOUT)
            _check("neuralhydrology", [2 * loss for loss in halves], expected)
            runs["neuralhydrology"] = process.epoch
        seconds = {name: one / case.batches for name, one in interleave(runs, chosen.pairs).items()}
    names: dict[str, tuple[str, Gate | None]] = {"torch": ("bare torch loop", Gate("ratio", at_least=0.95))}
    names |= {"neuralhydrology": (f"neuralhydrology {installed()}", None)}
    sizes = {"hidden": case.hidden, "batch": case.batch, "steps": case.spin_up + case.steps, "inputs": case.inputs}
    for name in list(runs)[1:]:
        baseline, gate = names[name]
        report.compare(
            "training.batches", seconds["crest"], seconds[name], unit="s per batch", scale=1.0, baseline=baseline,
            speed=True, gate=gate, batches_per_second=float(f"{1 / np.median(seconds['crest']):.4g}"),
            baseline_batches_per_second=float(f"{1 / np.median(seconds[name]):.4g}"), dropout=DROPOUT, **sizes,
        )  # fmt: skip


def _check(name: str, losses: Sequence[float], expected: Sequence[float]) -> None:
    if len(losses) != len(expected) or not np.allclose(losses, expected, rtol=1e-4):
        sys.exit(f"{name}: the losses {losses} differ from {expected}, so that times cannot be compared")


def run_races(names: Sequence[str], chosen: Options, report: Report, folder: Path, seconds: float) -> None:
    """Run NeuralHydrology's side of the races, then ours, each alone on the machine, and print the lines."""
    plan = QUICK if chosen.quick else Plan()
    held = basins(chosen.quick)
    curves: dict[str, Curve] = {}
    for name in names:
        place = folder / f"neuralhydrology-{name}"
        last = 1 if name == "default" else plan.sequence
        setup = neuralhydrology(plan, held, last)
        task = prepare(place, held.data, setup, threads=chosen.threads, flush_denormals=False, piece=plan.piece)
        race_theirs(place, seconds)
        curves[name] = Curve.open(place / "curve.json", task)
    highest = max(curve.best()["nse"] for curve in curves.values())
    ours, opening = [], 0.0
    for seed in plan.seeds:
        curve, opened = race_ours(plan, held, seed, folder / f"crest-{seed}", until=highest, seconds=seconds)
        ours.append(curve)
        opening = opened or opening
    for name, curve in curves.items():
        told = json.loads((folder / f"neuralhydrology-{name}" / "opening.json").read_text(encoding="utf-8"))
        tell(name, curve, ours, report, held, seconds=seconds, opening=opening, **told)


def tell(
    name: str, theirs: Curve, ours: Sequence[Curve], report: Report, held: Basins, *, seconds: float, opening: float,
    epoch: int, baseline_opening: float,
) -> None:  # fmt: skip
    """Print the line of a race."""
    best = theirs.best()
    times = [curve.reached(best["nse"]) for curve in ours]
    ratios = sorted(0.0 if one is None else best["seconds"] / one for one in times)
    ratio = Estimate(float(np.median(ratios)), ratios[0], ratios[-1])
    gate = Gate("ratio", at_least=RACES[name], widest=float("inf"))
    reached = [one for one in times if one is not None]
    shares = [curve.points[-1]["loading"] / curve.points[-1]["seconds"] for curve in (*ours, theirs)]
    report.line(
        f"training.race.{name}", float(np.median(reached)) if len(reached) == len(times) else None, "s", ratio=ratio,
        baseline=f"neuralhydrology {installed()}", gate=gate, verdict=gate.verdict(ratio),
        ratio_of="speed of CREST / speed of baseline", interval_of="least and most of our seeds",
        baseline_value=round(best["seconds"], 1), baseline_minutes=round(seconds / 60, 3), nse=round(best["nse"], 4),
        seeds=[None if one is None else round(one, 2) for one in times], best=[round(c.best()["nse"], 4) for c in ours],
        loading_share=round(float(np.mean(shares[:-1])), 4), baseline_loading_share=round(shares[-1], 4),
        opening=round(opening, 2), baseline_opening=round(baseline_opening, 2), baseline_updates=best["updates"],
        baseline_updates_of_an_epoch=epoch, hidden=int(theirs.settings["config"]["hidden_size"]),
        data=held.source, basins=len(held.ids), data_hash=held.hashes, settings=ours[0].settings,
    )  # fmt: skip


if __name__ == "__main__":
    main()
