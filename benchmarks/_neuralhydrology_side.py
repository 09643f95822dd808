"""NeuralHydrology seen from here: its files and configuration, and its process, which it has for itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

SCRIPT = Path(__file__).with_name("_neuralhydrology.py")
SERIES = "1.13."
ABSENT = (
    "the comparisons with NeuralHydrology are left out: it is not installed in version 1.13. Install it beside CREST, "
    "without another torch, by: python -m pip install -c constraints.txt -r benchmarks/requirements-training.txt"
)


def installed() -> str:
    """Return the version of NeuralHydrology, "" if it is not one of 1.13."""
    try:
        found = version("neuralhydrology")
    except PackageNotFoundError:
        return ""
    return found if found.startswith(SERIES) else ""


@dataclass(frozen=True)
class Setup:
    """What NeuralHydrology is asked to train: its options by its own names, beside those that every run shares.

    Periods are [start, end); `moving` and `static` are the inputs.
    """

    moving: Sequence[str]
    target: str
    train: tuple[str, str]
    validate: tuple[str, str]
    options: Mapping[str, Any]
    static: Sequence[str] = ()

    def config(self, folder: Path, basins: Sequence[str]) -> dict[str, Any]:
        """Return the configuration, for files in the folder."""
        periods: dict[str, str] = {}
        for name, (start, end) in {"train": self.train, "validation": self.validate, "test": self.validate}.items():
            first, last = pd.Timestamp(start), pd.Timestamp(end) - pd.Timedelta(days=1)
            if name != "train":  # its tester scores the last day of each window, and has windows of the period alone
                first -= pd.Timedelta(days=self.options["predict_last_n"] - 1)
            periods |= {f"{name}_start_date": _day(first), f"{name}_end_date": _day(last)}
            periods[f"{name}_basin_file"] = str(folder / "basins.txt")
        shared = {
            "experiment_name": "crest", "dataset": "generic", "data_dir": str(folder), "device": "cpu", "verbose": 0,
            "model": "cudalstm", "head": "regression", "output_activation": "linear", "optimizer": "Adam",
            "initial_forget_bias": 3, "dynamic_inputs": list(self.moving), "static_attributes": list(self.static),
            "target_variables": [self.target], "clip_targets_to_zero": [self.target], "num_workers": 0, "epochs": 1000,
            "log_tensorboard": False, "log_interval": 1000, "log_n_figures": 0, "save_weights_every": 1000,
            "validate_n_random_basins": len(basins), "save_validation_results": False, "metrics": ["NSE"],
        }  # fmt: skip
        return {**shared, **periods, **self.options}


def prepare(
    folder: Path, data: xr.Dataset, setup: Setup, *, threads: int, flush_denormals: bool, piece: int = 0
) -> dict[str, Any]:
    """Write a dataset (time, cell) in the layout of NeuralHydrology's "generic" one, and the task; return the task.

    Files that are there stay: they are those of a run that goes on, whose curve tells its settings.
    """
    ids = [str(one) for one in data["cell_id"].values]
    series = folder / "time_series"
    series.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(ids):
        one = data[[*setup.moving, setup.target]].isel(cell=number, drop=True).reset_coords(drop=True)
        if not (series / f"{name}.nc").exists():
            one.drop_attrs().rename(time="date").to_netcdf(series / f"{name}.nc")
    (folder / "basins.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    if setup.static:
        (folder / "attributes").mkdir(exist_ok=True)
        held = {name: data[name].values for name in setup.static}
        pd.DataFrame(held, index=pd.Index(ids, name="basin")).to_csv(folder / "attributes" / "attributes.csv")
    np.save(folder / "observed.npy", within(data[setup.target], setup.validate).values)
    task = {"config": setup.config(folder, ids), "threads": threads, "flush_denormals": flush_denormals}
    task |= {"basins": ids, "piece": piece, "version": installed()}
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    return task


def within(values: xr.DataArray, period: tuple[str, str]) -> xr.DataArray:
    """Return the days of a period, (time, cell)."""
    times = values["time"].values
    inside = (times >= np.datetime64(period[0])) & (times < np.datetime64(period[1]))
    return values.transpose("time", "cell").isel(time=inside)


def race(folder: Path, seconds: float) -> None:
    """Train for so long in all, or go on, in a process of its own."""
    _succeed(subprocess.run(_command(folder, "race", str(seconds))).returncode, folder)


class Batches:
    """A process that trains an epoch each time it is asked to; it ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = _command(folder, "batches")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def losses(self, weights: Path, order: Sequence[tuple[str, int]], dropout: float) -> list[float]:
        """Return the losses of an epoch from some weights on, in an order of (basin, last day); set dropout then."""
        return list(self._ask({"weights": str(weights), "order": list(order), "dropout": dropout})["losses"])

    def epoch(self) -> object:
        """Train an epoch."""
        return self._ask({})

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            _succeed(self._process.wait() or 1, self.folder)
        answer: dict[str, Any] = json.loads(line)
        return answer


def _command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(SCRIPT), str(folder), *arguments]


def _succeed(code: int, folder: Path) -> None:
    if code:
        log = folder / "log.txt"
        sys.exit(f"NeuralHydrology's process ended with {code}; {log.read_text()[-2000:] if log.exists() else ''}")


def _day(when: pd.Timestamp) -> str:
    return when.strftime("%d/%m/%Y")
