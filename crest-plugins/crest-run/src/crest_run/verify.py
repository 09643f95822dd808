"""Verify that an interrupted run equals a straight one, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr

from crest_core import SafetensorsStore, StateError, Tensors
from crest_run.execution import simulate_run
from crest_run.runfile import RunFile, load_run

CUTS = 5
app = typer.Typer(no_args_is_help=True, help="Verify that a run keeps what CREST promises.")


@dataclass
class Fingerprints:
    """An archive that keeps the last state in a file, and of each window only hashes by field."""

    store: SafetensorsStore
    windows: dict[str, dict[str, str]] = field(default_factory=dict)

    def commit(self, outputs: xr.Dataset, state: Tensors, attributes: Mapping[str, Any]) -> None:
        fields = {name: np.ascontiguousarray(values.values) for name, values in outputs.data_vars.items()}
        fields |= {f"state {name}": value.numpy(force=True) for name, value in state.items()}
        self.windows[attributes["time"]] = {str(k): sha256(v.tobytes()).hexdigest() for k, v in fields.items()}
        self.store.save(state, attributes)

    def load(self) -> tuple[Tensors, dict[str, Any]]:
        return self.store.load()

    def open(self) -> xr.Dataset:
        return xr.Dataset()


@dataclass(frozen=True)
class Trial:
    """One interruption: when, and the first window with the fields that differ ("" and none where all are equal)."""

    time: str
    window: str = ""
    fields: tuple[str, ...] = ()


def verify_restart(run: RunFile, cuts: int = CUTS, *, progress: bool | None = None) -> list[Trial]:
    """Return what differs when a run is interrupted at up to `cuts` ends of windows and gone on with, one at a time.

    The graph is built anew for each part, so that what a component hides from its state shows. Costs cuts + 1 runs;
    no outputs are kept.
    """
    with TemporaryDirectory() as folder:
        straight = _part(run, Path(folder) / "straight", progress=progress)
        ends = list(straight)[:-1]
        if not ends:
            raise StateError(f"{run.where('window')}: the run is one window of {run.window}; verify with a shorter one")
        chosen = [ends[i] for i in np.unique(np.linspace(0, len(ends) - 1, cuts).round().astype(int))]
        return [_trial(run, straight, end, Path(folder) / f"cut{i}", progress) for i, end in enumerate(chosen)]


def _part(
    run: RunFile, path: Path, *, end: str | None = None, resume: bool = False, progress: bool | None = None
) -> dict[str, dict[str, str]]:
    """Return the hashes of all windows of a part of a run, in a graph of its own."""
    archive = Fingerprints(SafetensorsStore(path))
    simulate_run(run, archive=archive, resume=archive if resume else None, end=end, progress=progress)
    return archive.windows


def _trial(run: RunFile, straight: dict[str, dict[str, str]], cut: str, path: Path, progress: bool | None) -> Trial:
    parted = _part(run, path, end=cut, progress=progress) | _part(run, path, resume=True, progress=progress)
    for window, fields in straight.items():
        if differing := [name for name, found in fields.items() if parted.get(window, {}).get(name) != found]:
            return Trial(cut, window, tuple(differing))
    return Trial(cut)


@app.callback()
def verify() -> None:
    """Verify that a run keeps what CREST promises."""


@app.command()
def restart(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Run file (YAML).")],
    cuts: Annotated[int, typer.Option(min=1, help="Interruptions to try, spread over the run.")] = CUTS,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Run straight and interrupted, and compare every window bit for bit.

    The run is cut at ends of its windows (key `window`); writes nothing. Exit status 1 where anything differs.

    \b
    crest verify restart run.yaml
    crest verify restart run.yaml --cuts 2
    """
    trials = verify_restart(load_run(file), cuts, progress=False if quiet else None)
    for trial in trials:
        differs = f"differs in the window that ends at {trial.window}: {', '.join(trial.fields)}"
        print(f"restart at {trial.time}: {differs if trial.window else 'equal bit for bit'}")
    if any(trial.window for trial in trials):
        print("keep all memory of a component in its state; `crest check NAME` says which component does not")
        raise typer.Exit(1)
