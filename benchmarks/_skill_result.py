"""Options and records of the skill scripts: a small JSON file of each run, and one line for who watches."""

from __future__ import annotations

import argparse
import atexit
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from _report import commit, machine
from _skill_data import TARGET, Basins, Period
from crest_training import Anchor, Comparison, score, summarise, write_report

RESULTS = Path(__file__).parent / "results" / "skill"
METRICS = ("nse", "kge", "pearson-r", "kge-alpha", "kge-beta", "fhv", "fms", "flv", "peak-timing")
DISTRIBUTIONS = ("crest-core", "crest-training", "crest-samples", "crest-data", "terrahydro-snow",
                 "terrahydro-streamflow", "torch", "numpy", "scikit-learn")  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    seed: int
    ensemble: tuple[int, ...]
    model: str
    phase: str
    folder: Path
    epochs: int
    every: int
    batch: int
    hidden: int
    rate: float
    segment: int
    noise: float
    dropout: float
    hold_out: float
    fold: int | None
    threads: int
    quick: bool

    def place(self, name: str, seed: int | None = None) -> Path:
        """Return the folder in which a run keeps its checkpoint and predictions."""
        return self.folder / f"{name}.{self.model}.{self.phase}.seed-{self.seed if seed is None else seed}"


def options(
    doc: str,
    models: Sequence[str],
    *,
    epochs: int,
    every: int,
    folds: int = 0,
    noise: float = 0.0,
    lagged: tuple[float, float] | None = None,
    arguments: Sequence[str] | None = None,
) -> Options:
    """Return the options of the command line; `doc` is the help, `lagged` the dropout and the share held out."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of weights, order and dropout (default %(default)s)")
    add("--ensemble", type=int, nargs="+", default=[], metavar="SEED", help="score the mean of runs that are complete")
    add("--model", choices=models, default=models[0], help="default %(default)s")
    add("--phase", choices=["test", "validate"], default="test", help="validate: settings are chosen here, on years of "
        "the training period that are kept from training; the test is left alone")  # fmt: skip
    add("--folder", type=Path, default=Path("output/skill"), help="checkpoints and predictions (default %(default)s); "
        "a run that was stopped goes on from there")  # fmt: skip
    add("--epochs", type=int, default=epochs, help="default %(default)s")
    add("--every", type=int, default=every, metavar="DAYS", help="between the starts of two samples of a basin")
    add("--batch", type=int, default=32, help="samples (default %(default)s)")
    add("--hidden", type=int, default=256, help="units of an LSTM (default %(default)s)")
    add("--rate", type=float, default=3e-3, help="highest learning rate of networks (default %(default)s)")
    add("--segment", type=int, default=365, metavar="DAYS", help="gradients reach back to the start of such a part of "
        "the window (default %(default)s: not into the spin-up)")  # fmt: skip
    if folds:
        add("--fold", type=int, choices=range(folds), default=None, help="train this one and stop; several can be "
            "trained side by side (default: all that are not there, and the score)")  # fmt: skip
        add("--noise", type=float, default=noise, metavar="STD", help="in the attributes while training, in their "
            "standard deviations (default %(default)s)")  # fmt: skip
    if lagged:
        add("--dropout", type=float, default=lagged[0], help="share of the units (default %(default)s)")
        add("--hold-out", type=float, default=lagged[1], help="share of the lagged runoff (default %(default)s)")
    add("--threads", type=int, default=2, help="of torch (default %(default)s)")
    add(
        "--quick",
        action="store_true",
        help="invented basins, a few seconds: checks that it runs, says nothing of skill",
    )
    given = parser.parse_args(arguments)
    for name in ("epochs", "every", "batch", "hidden", "threads", "segment", "rate"):
        if not 0 < getattr(given, name) < float("inf"):
            parser.error(f"--{name} {getattr(given, name)}: expected more than 0")
    if not 0 <= getattr(given, "noise", 0.0) < float("inf"):
        parser.error(f"--noise {given.noise}: expected 0 or more")
    torch.set_num_threads(given.threads)
    if given.quick:
        given.folder = Path(tempfile.mkdtemp(prefix="skill-"))
        atexit.register(shutil.rmtree, given.folder, ignore_errors=True)
        given.epochs, given.every, given.hidden, given.batch = 1, 60, 8, 8
    absent = {"fold": None, "noise": 0.0, "dropout": 0.4, "hold_out": 0.0}
    return Options(**absent | vars(given) | {"ensemble": tuple(given.ensemble)})


def hold(path: Path, settings: dict[str, Any]) -> None:
    """Keep the settings of a run beside its predictions; end where the folder has those of other settings."""
    file, now = path / "settings.json", json.loads(json.dumps(settings))
    if file.exists() and (before := json.loads(file.read_text(encoding="utf-8"))) != now:
        other = ", ".join(f"{name} {before.get(name)!r}" for name in now if before.get(name) != now[name])
        sys.exit(f"{path} was made with {other}; give the same, or another --folder")
    path.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(now), encoding="utf-8")


def keep(path: Path, comparison: Comparison) -> None:
    """Keep what was simulated, for ensembles and for reports."""
    simulated = comparison.simulated["model"].astype(np.float32).to_dataset(name=TARGET)
    simulated.to_netcdf(path / "predictions.nc", engine="h5netcdf")


def kept(paths: Sequence[Path]) -> xr.Dataset:
    """Return what runs simulated, along the dim `member`."""
    held = []
    for path in paths:
        if not (path / "predictions.nc").exists():
            sys.exit(f"{path} holds no predictions.nc: run that seed first")
        held.append(xr.load_dataset(path / "predictions.nc"))
    return xr.concat(held, "member", join="exact")


def finish(
    name: str,
    asked: Options,
    basins: Basins,
    comparison: Comparison,
    *,
    period: Period,
    training: Period,
    anchors: Sequence[Anchor],
    least: float | None,
    settings: dict[str, Any],
    note: str = "",
) -> None:
    """Write the JSON file and the report of a run, and print a line: median NSE beside climatology.

    `least` is the median NSE to reach, None for a model that is only there to be compared with.
    """
    scores = score(comparison, METRICS)
    rows = summarise(scores)
    median = {row.source: row.median for row in rows if row.metric == "nse"}
    seeds = list(asked.ensemble) or [asked.seed]
    gate, verdict = "", ""
    if least is not None:
        decided = not asked.quick and asked.phase == "test"
        gate = f"median NSE >= {least:g}"
        verdict = "undecided" if not decided else "met" if median["model"] >= least else "missed"
    full = f"skill.{name}.{asked.model}" + (".ensemble" if asked.ensemble else "")
    record = {
        "name": full, "value": _round(median["model"]), "unit": "1", "ratio": None, "interval": None,
        "baseline": "climatology", "baseline_value": _round(median["climatology"]),
        "persistence": _round(median["persistence"]), "gate": gate, "verdict": verdict, "phase": asked.phase,
        "seeds": seeds, "basins": len(basins.ids), "period": list(period), "training": list(training),
        "data": basins.source, "data_hash": basins.hashes, "settings": settings, "note": note,
        "published": [asdict(anchor) for anchor in anchors], "commit": commit(), "versions": versions(),
        "machine": machine(), "threads": asked.threads, "quick": asked.quick,
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    table = [{key: _round(one) if isinstance(one, float) else one for key, one in asdict(row).items()} for row in rows]
    by_basin = {
        one: _round(float(v)) for one, v in zip(basins.ids, scores["nse"].sel(source="model").values, strict=True)
    }
    title = f"{full}, seeds {', '.join(map(str, seeds))}, {asked.phase}"
    last = f"ensemble-{'-'.join(map(str, seeds))}" if asked.ensemble else f"seed-{asked.seed}"
    page = write_report(asked.folder / "reports" / f"{full}.{asked.phase}.{last}", comparison, scores, title=title,
                        anchors=anchors, note=basins.source)  # fmt: skip
    text = json.dumps(record | {"table": table, "nse_by_basin": by_basin}, indent=1) + "\n"
    (page.parent / "record.json").write_text(text, encoding="utf-8")
    if asked.phase == "test" and not asked.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.{asked.model}.{last}.json").write_text(text, encoding="utf-8")
    print(json.dumps(record), flush=True)
    print(
        f"{title}: median NSE {median['model']:.3f}, climatology {median['climatology']:.3f}; {page}", file=sys.stderr
    )


def versions(names: Sequence[str] = DISTRIBUTIONS) -> dict[str, str]:
    """Return the versions of distributions: those that a score depends on."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _round(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
