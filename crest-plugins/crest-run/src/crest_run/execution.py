"""From a run file to results; `crest run` does no more than this.

run = load_run("run.yaml")
results = execute(run)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import xarray as xr

from crest_core import SafetensorsStore, StoreError, registry, simulate
from crest_run.build import build_graph, call
from crest_run.runfile import RunFile


def open_forcing(run: RunFile) -> xr.Dataset:
    """Return the forcing of a run file; values of a file are read when they are needed."""
    if run.forcing.path is not None:
        with run.at("forcing", "path"):
            return xr.open_dataset(run.forcing.path)
    with run.at("forcing", "source"):
        source = registry().load("data_sources", str(run.forcing.source))
    with run.at("forcing"):
        dataset: xr.Dataset = call(source, run.forcing.arguments)
        return dataset


def execute(run: RunFile, *, progress: bool | None = None) -> xr.Dataset:
    """Return the results of a run, and write what its section output asks for."""
    output = run.output
    for path in filter(None, (output.path, output.restart, output.record)):
        with run.at("output"):
            path.parent.mkdir(parents=True, exist_ok=True)  # fail before the run, not after
    graph = build_graph(run)
    with open_forcing(run) as forcing:
        results = simulate(
            graph,
            forcing,
            start=run.period.start if run.period else None,
            end=run.period.end if run.period else None,
            calendar=run.calendar,
            window=run.window,
            resume=SafetensorsStore(run.resume) if run.resume else None,
            store=SafetensorsStore(output.restart) if output.restart else None,
            outputs=output.fields or None,
            dtype=getattr(torch, run.dtype),
            seed=run.seed,
            progress=progress,
        )
    if output.path:
        with _replaced(output.path) as temporary:
            results.to_netcdf(temporary, engine="h5netcdf")
    if output.record:
        record = {**results.attrs, "versions": json.loads(results.attrs["versions"])}
        record |= {"seed": run.seed, "run": run.model_dump(mode="json", by_alias=True)}
        with _replaced(output.record) as temporary:
            temporary.write_text(json.dumps(record, indent=2, default=str), encoding="utf-8")
    return results


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Hand out a temporary file beside `path` that takes its place once it is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
