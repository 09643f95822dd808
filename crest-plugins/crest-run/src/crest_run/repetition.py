"""Repeat a run from its record, and compare."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr
from pydantic import ValidationError

from crest_core import CrestError
from crest_run.archive import open_results
from crest_run.errors import RunFileError
from crest_run.execution import execute
from crest_run.runfile import OutputSection, RunFile
from crest_run.same_run import CHANGED
from crest_run.sums import check_recorded

_FACTS = ("graph_hash", "parameter_hash", "forcing_hash", "seed")
_MEANING = ("standard_name", "units", "cell_methods", "positive")


@dataclass(frozen=True)
class Comparison:
    """What a repetition gave beside the recorded run: by stream and variable, and what it was made of.

    `largest` holds None where a variable or coordinate is equal bit for bit, else the largest absolute difference in
    its units, nan where there is no such number (missing in one, in part too, another shape,
    dates), 0 where only number type or sign of zero differ. `changed` names versions,
    hashes and what says what a variable is, with (recorded, now).
    """

    largest: Mapping[str, float | None]
    changed: Mapping[str, tuple[str, str]]

    @property
    def equal(self) -> bool:
        made_by = {name for name in self.changed if name in _FACTS or "." in name}
        return bool(self.largest) and not made_by and all(value is None for value in self.largest.values())


def rerun(
    output: str | Path, *, branch: str = "main", changed_files: bool = False, progress: bool | None = None
) -> Comparison:
    """Return how a repetition of the run that wrote `output` compares with it: NetCDF, a store or an export.

    The run is repeated from its start in a temporary folder; `output` is only read. RunFileError where it is not known
    to be of one run file, and, before they are opened, where weights or a file of forcing have other sums than then;
    `changed_files` repeats the run with those at hand.
    """
    output = Path(output)
    with _opened(output, branch) as before, TemporaryDirectory() as folder:
        facts = next(iter(before.values())).attrs
        run = _recorded(output, facts)
        if not changed_files:
            check_recorded(run, facts, forcing=True, advice="put that one back, or repeat with this by --changed-files")
        if run.output.store:
            store = run.output.store.model_copy(update={"path": Path(folder) / "store"})
            execute(
                run.model_copy(update={"output": run.output.model_copy(update={"store": store})}), progress=progress
            )
            return _compare(before, open_results(store.path, use=store.use))
        again = Path(folder) / "again.nc"  # read as the other was
        section = OutputSection(path=again, fields=run.output.fields)
        execute(run.model_copy(update={"output": section}), progress=progress)
        with _opened(again, branch) as now:
            return _compare(before, now)


@contextmanager
def _opened(output: Path, branch: str) -> Iterator[dict[str, xr.Dataset]]:
    """Open what a run wrote, by stream; the NetCDF file of a run without a store has one without name."""
    if output.suffix in (".yaml", ".yml") and output.is_file():
        raise RunFileError(
            f"{output} is a run file, expected what it wrote: the file of output.path or the folder of "
            f"output.store.path; to run it, crest run {output}"
        )
    if not output.exists():
        raise RunFileError(f"{output}: there is no such file or folder; give a NetCDF file or a store that CREST wrote")
    exported = (output / "zarr.json").is_file()
    if output.is_dir() and not exported:
        yield open_results(output, branch)
        return
    try:
        dataset = xr.open_dataset(output, engine="zarr" if exported else None)
    except (OSError, ValueError) as error:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise RunFileError(
            f"{output}: expected a NetCDF file or a store that CREST wrote{why}; is it complete, and of this kind?"
        ) from error
    with dataset:
        yield {dataset.attrs.get("stream", ""): dataset}


def _recorded(output: Path, attributes: Mapping[str, Any]) -> RunFile:
    if CHANGED in attributes:
        raise RunFileError(
            f"{output} went on with another run file from {attributes[CHANGED]} on; only a run that one run file made "
            f"can be repeated"
        )
    try:
        return RunFile.model_validate(json.loads(attributes["run_file"]))
    except KeyError:
        raise RunFileError(f"{output} has no attribute run_file; only results of `crest run` can be repeated") from None
    except (ValueError, ValidationError) as error:
        raise RunFileError(f"{output}: its attribute run_file is no run file of this version: {error}") from error


def _compare(before: Mapping[str, xr.Dataset], now: Mapping[str, xr.Dataset]) -> Comparison:
    old, new = (next(iter(one.values())).attrs for one in (before, now))
    changed = {key: (str(old.get(key)), str(new.get(key))) for key in _FACTS if old.get(key) != new.get(key)}
    largest = {}
    for stream, dataset in before.items():
        again = now.get(stream, xr.Dataset())
        for name in sorted({*map(str, dataset.variables), *map(str, again.variables)}):
            label = f"{stream}.{name}".lstrip(".")
            one, other = dataset.variables.get(name), again.variables.get(name)
            largest[label] = _largest(one, other)
            if one is None or other is None:
                continue
            for key in _MEANING:
                if (was := one.attrs.get(key, "")) != (is_ := other.attrs.get(key, "")):
                    changed[f"{label}.{key}"] = (str(was), str(is_))
    versions = [json.loads(one.get("versions", "{}")) for one in (old, new)]
    for name in sorted({*versions[0], *versions[1]}):
        if (was := versions[0].get(name, "absent")) != (is_ := versions[1].get(name, "absent")):
            changed[name] = (was, is_)
    return Comparison(largest, changed)


def _largest(before: xr.Variable | None, now: xr.Variable | None) -> float | None:
    if before is None or now is None or before.shape != now.shape:
        return float("nan")
    old, new = before.values, now.values
    if old.dtype == new.dtype and old.tobytes() == new.tobytes():
        return None
    if not {old.dtype.kind, new.dtype.kind} <= set("fiu"):
        return None if np.array_equal(old, new) else float("nan")
    return float(np.max(np.where(np.isnan(old) & np.isnan(new), 0.0, np.abs(old.astype(float) - new)), initial=0.0))


def command(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="NetCDF file, or folder of a store.")],
    branch: Annotated[str, typer.Option(metavar="NAME", help="Branch of the store.")] = "main",
    changed_files: Annotated[
        bool, typer.Option("--changed-files", help="Take weights and forcing as they are now.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Repeat a run from its record and compare every variable, bit for bit.

    Says which versions, parameters or forcing changed since. OUTPUT is only read. Exit status 1 where anything differs.

    \b
    crest rerun results.nc
    crest rerun runs/drought
    """
    found = rerun(output, branch=branch, changed_files=changed_files, progress=False if quiet else None)
    for name, value in found.largest.items():
        print(f"{name}: {_in_words(value)}")
    for name, (was, now) in found.changed.items():
        print(f"{name} was {was}, is {now}")
    if not found.equal:
        if not found.changed:
            raise CrestError(f"{output} differs though nothing that is recorded changed; was the file edited?")
        raise typer.Exit(1)


def _in_words(difference: float | None) -> str:
    if difference is None:
        return "equal bit for bit"
    if isnan(difference):
        return "differs: missing in one, in whole or in part, or no numbers of one shape"
    if difference == 0.0:
        return "differs in bits, not in value: number type, sign of zero or kind of nan"
    return f"differs by up to {difference:g}"
