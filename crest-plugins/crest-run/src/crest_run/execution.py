"""From a run file to results; `crest run` does no more than this.

run = load_run("run.yaml")
results = execute(run)
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from crest_core import (
    Archive,
    ForcingError,
    Graph,
    PeriodError,
    RestartError,
    SafetensorsStore,
    Store,
    TimeError,
    parse_time,
    prepare,
    registry,
    simulate,
    write_atomically,
)
from crest_run.archive import GoingOn, open_archive
from crest_run.build import build_graph, call
from crest_run.errors import RunFileError
from crest_run.runfile import RunFile
from crest_run.same_run import changed_since, with_streams
from crest_run.sums import check_recorded, check_sum, sums
from crest_run.targets import check_targets

_PLACES = {"parameters": "graph", "forcing": "forcing", "places": "forcing"}  # of what a restart differs by
_BESIDE = " (crest run: --from CYCLE, or --branch NAME beside it)"
_GO_ON = {
    "parameters": _BESIDE,
    "forcing": _BESIDE,
    "places": "; a store holds one set of places: or give another path",
}
_OTHER_WEIGHTS = (
    "--resume goes on with that one; --from CYCLE, or --branch NAME beside it, go on with this one if it is right"
)
_HDF5 = b"\x89HDF\r\n\x1a\n"


def open_forcing(run: RunFile) -> xr.Dataset:
    """Return the forcing of a run file; values of a file are read when they are needed."""
    if run.forcing.path is not None:
        with run.at("forcing", "path"):
            check_sum(run.forcing.path, run.forcing.sha256)
            return _open_file(run.forcing.path)
    with run.at("forcing", "source"):
        source = registry().load("data_sources", str(run.forcing.source))
    with run.at("forcing"):
        dataset = call(source, run.forcing.arguments)
        if not isinstance(dataset, xr.Dataset):
            kind = type(dataset).__name__
            raise RunFileError(f"data source {run.forcing.source!r} gives a {kind}, expected an xarray Dataset")
        return dataset


def end_of(run: RunFile) -> Any:
    """Return the date at which a run ends: that of its period, else of its forcing."""
    if run.period:
        return parse_time(run.period.end, run.calendar)
    with open_forcing(run) as forcing, _located(run):
        return prepare(build_graph(run), forcing, calendar=run.calendar).clock.end


def _begin_of(run: RunFile, graph: Graph) -> Any:
    """Return the date at which a run of all of the forcing begins."""
    with open_forcing(run) as forcing, _located(run):
        return prepare(graph, forcing, calendar=run.calendar).clock.start


def simulate_run(
    run: RunFile,
    *,
    store: Store | None = None,
    archive: Archive | None = None,
    resume: Store | Archive | None = None,
    accept: Collection[str] = (),
    end: str | None = None,
    graph: Graph | None = None,
    record: Mapping[str, str] | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Return the results of a run file; nothing is written but to `store` and `archive`.

    `resume` and `accept` overrule the keys of these names; `end` overrules period.end; `graph` is what `build_graph`
    gave, by default a new one; `record` adds to what the results say of the run.
    """
    period, record = run.period, {"files": json.dumps(sums(run)), **(record or {})}
    graph = graph or build_graph(run)
    if resume is None and run.resume:
        resume, accept = SafetensorsStore(run.resume), run.accept
    with open_forcing(run) as forcing, _located(run):
        return simulate(
            graph,
            forcing,
            start=period.start if period and resume is None else None,  # a run that resumes starts at its restart
            end=end or (period.end if period else None),
            calendar=run.calendar,
            window=run.window,
            resume=resume,
            store=store,
            archive=archive,
            accept=accept,
            outputs=run.output.fields or None,
            dtype=getattr(torch, run.dtype),
            seed=run.seed,
            record={"run_file": run.model_dump_json(by_alias=True), **record},
            progress=progress,
        )


def execute(run: RunFile, *, going_on: GoingOn | None = None, progress: bool | None = None) -> xr.Dataset:
    """Return the results of a run, and write what its section output asks for.

    With the key resume the run goes on at the restart's time; period.start tells where the experiment began. `going_on`
    says from which cycle of output.store; a run that is complete is opened and not run.
    """
    check_targets(run)
    output = run.output
    if output.store or going_on:
        with open_archive(run, going_on, lambda: end_of(run)) as opened:
            facts, files = opened.facts, json.dumps(sums(run))
            run = with_streams(run, facts)
            same = going_on is not None and going_on.same
            if same:
                check_recorded(run, facts, forcing=False, advice=_OTHER_WEIGHTS)
            graph = build_graph(run)
            changes = changed_since(run, graph, facts, begin=lambda: _begin_of(run, graph), refuse=same)
            if going_on and facts and parse_time(facts["time"], run.calendar) >= end_of(run):
                return opened.archive.open()
            with open_forcing(run) as forcing, _located(run):
                with run.at("output", "store", "history"):
                    opened.check(graph, run.output.fields, forcing)
            return simulate_run(
                run,
                archive=opened.archive,
                resume=opened.resume,
                accept=() if same else ("parameters", "forcing"),
                graph=graph,
                record={"files": files, **changes},
                progress=progress,
            )
    results = simulate_run(run, store=SafetensorsStore(output.restart) if output.restart else None, progress=progress)
    if output.path:
        write_atomically(output.path, results.to_netcdf(engine="h5netcdf"))
    if output.record:
        facts = {**results.attrs, **{name: json.loads(results.attrs[name]) for name in ("versions", "places", "files")}}
        facts |= {"seed": run.seed, "run": json.loads(facts.pop("run_file"))}
        write_atomically(output.record, json.dumps(facts, indent=2, default=str).encode())
    return results


def _open_file(path: Path) -> xr.Dataset:
    """Open a NetCDF file; NetCDF-4 by h5netcdf, since netCDF-C keeps up to 64 MB of each variable as a run goes on."""
    with open(path, "rb") as file:
        begin = file.read(len(_HDF5))
    if not begin:
        raise RunFileError(f"{path} is empty; expected a NetCDF file")
    try:
        return xr.open_dataset(path, engine="h5netcdf" if begin == _HDF5 else None)
    except (OSError, ValueError, RuntimeError, LookupError) as error:  # as its libraries tell damage
        raise RunFileError(f"{path} cannot be read, it is damaged or no NetCDF file: {error}") from error


@contextmanager
def _located(run: RunFile) -> Iterator[None]:
    """Put file, line and key before what is wrong with period, forcing or restart."""
    try:
        yield
    except RestartError as error:
        told = f"{run.where(_PLACES[error.differs])}: {error}"
        if run.output.store:  # has no key accept
            told = told.removesuffix(f", or say accept=[{error.differs!r}]") + _GO_ON[error.differs]
        raise RunFileError(told) from error
    except PeriodError as error:
        if run.period is None:  # all of the forcing, or what is left of it
            raise PeriodError(f"{run.where('forcing')}: {error}") from error
        start, end = (run.where("period", key).removesuffix(f": period.{key}") for key in ("start", "end"))
        ends = f"{start}: period" if start == end else f"{start}: period.start, {end}: period.end"
        raise PeriodError(f"{ends}: {error}") from error
    except (ForcingError, TimeError):
        with run.at("forcing"):
            raise
