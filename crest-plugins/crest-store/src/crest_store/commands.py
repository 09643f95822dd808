"""The commands `crest store`: what runs a place holds, whether they are whole, what they cost, and their export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crest_core import StoreError
from crest_store.expiry import expire as expire_run
from crest_store.export import export as export_run
from crest_store.repository import exists
from crest_store.run import Run, open_run
from crest_store.verification import verify

app = typer.Typer(no_args_is_help=True, help="List, check, expire and export stored runs.")
_Path = Annotated[str, typer.Argument(metavar="PATH", help="Folder of a run, or s3:// or gs:// URL.")]
_Branch = Annotated[str, typer.Option("--branch", metavar="NAME", help="Branch of the run.")]


@app.command("list")
def list_runs(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A run, or a folder of runs.")] = Path("."),
) -> None:
    """List the runs of a folder, with their cycles and periods.

    \b
    crest store list results
    """
    folders = [path, *sorted(one for one in path.glob("*") if one.is_dir())] if path.is_dir() else [path]
    runs = [folder for folder in folders if folder.is_dir() and exists(folder)]
    if not runs:
        raise StoreError(f"{path} holds no run; a run is a folder that `crest run` or IcechunkArchive wrote")
    for folder in runs:
        try:
            print(f"{folder}: {_period(open_run(folder))}")
        except StoreError as error:
            print(f"{folder}: {error}")


@app.command()
def info(path: _Path, branch: _Branch = "main") -> None:
    """Show cycles, restarts, branches, streams and the record of a run.

    \b
    crest store info results/run
    """
    run = open_run(_existing(path), branch)
    print(f"run       {run.name}\nbranch    {run.branch} (of {', '.join(run.branches())})\nsnapshot  {run.snapshot}")
    print(f"cycles    {_period(run)}")
    if not run.cycles():
        return
    print(f"restarts  {', '.join(map(str, run.restarts()))}")
    incomplete = run.incomplete()
    for name in run.streams():
        data = run.history(name)
        sizes = ", ".join(f"{dim} {size}" for dim, size in data.sizes.items() if dim != "bnds")
        print(f"stream    {name}: {', '.join(map(str, data.data_vars))} ({sizes})")
        if name in incomplete:
            start, steps = incomplete[name]
            print(
                f"          and {steps} steps since {start}, left out until a run that goes on completes the interval"
            )
    for key, value in sorted(run.record().items()):
        print(f"record    {key} = {value}")


@app.command()
def check(path: _Path, branch: _Branch = "main") -> None:
    """Read every file of a run and name those that do not hold what was written.

    \b
    crest store check results/run
    """
    problems = verify(_existing(path), branch)
    if problems:
        advice = "a resumed run goes on from the last cycle that is whole without them, where there is one"
        raise StoreError("\n".join([*problems, f"{len(problems)} damaged; {advice}"]))
    print(f"{path}: every file is as it was written")


@app.command()
def expire(
    path: _Path,
    keep: Annotated[int, typer.Option("--keep", min=1, help="Commits to keep, to go back to after damage.")] = 3,
) -> None:
    """Delete files that only superseded commits need; history and kept restarts stay.

    \b
    crest store expire results/run --keep 3
    """
    done = expire_run(_existing(path), keep=keep)
    print(f"{path}: {done.commits} commits forgotten, {done.files} files with {done.bytes:,} bytes deleted")


@app.command()
def export(
    path: _Path,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="New file .nc (NetCDF) or folder .zarr (Zarr).")],
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Stream; the first by default.")
    ] = None,
    branch: _Branch = "main",
) -> None:
    """Write a stream of history as NetCDF or plain Zarr.

    \b
    crest store export results/run monthly.nc --stream monthly
    """
    print(f"{export_run(open_run(_existing(path), branch), target, stream)} written")


def _existing(path: str) -> str:
    if not exists(path):
        raise StoreError(f"{path} holds no run; `crest store list FOLDER` shows those of a folder")
    return path


def _period(run: Run) -> str:
    cycles = run.cycles()
    if not cycles:
        return "no cycle yet"
    return f"{len(cycles)} cycles, {run.record(cycles[0])['start']} to {run.record()['time']}"
