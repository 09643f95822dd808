"""A small coupled run: a feedback loop with a black box in it, two history streams, windows of two days."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from crest_store import IcechunkArchive, Stream, open_run
from xarray.backends import BackendArray
from xarray.core import indexing

from crest_core import Connection, Graph, StoreError, simulate
from crest_core.testing import LinearReservoir, NumpyBucket, Stress, weather

WINDOW_DAYS = 2
STREAMS = {
    "steps": Stream(fields=("runoff", "storage", "streamflow")),
    "means": Stream(every="5D", statistic="mean", fields=("runoff",)),
}
KEEP = {"keep": 2, "keep_every": 5}
Mark = Callable[[str], None]


def silent(event: str) -> None:
    """Mark nothing."""


class MarkedBucket(NumpyBucket):
    """The black box of the run; it takes its time, and says when it is at work."""

    def __init__(self, mark: Mark = silent, seconds: float = 0.0) -> None:
        super().__init__()
        self.mark, self.seconds = mark, seconds

    def evaluate(self, state: dict, inputs: dict, parameters: dict) -> tuple[dict, dict]:
        """Return storage and runoff."""
        self.mark("step+")
        try:
            time.sleep(self.seconds)
            return super().evaluate(state, inputs, parameters)
        finally:
            self.mark("step-")


class MarkedVariable(BackendArray):
    """A variable of an open netCDF file that is read when needed, from a slow disk that says when."""

    def __init__(self, values: xr.Variable, mark: Mark, seconds: float) -> None:
        self.values, self.mark, self.seconds = values, mark, seconds
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Return a part."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple) -> np.ndarray:
        self.mark("read+")
        try:
            time.sleep(self.seconds)
            return np.asarray(self.values[key].values)
        finally:
            self.mark("read-")


class MarkedArchive:
    """An archive that says when a commit begins and, after it has returned, which cycle is acknowledged."""

    def __init__(self, archive: IcechunkArchive, mark: Mark) -> None:
        self.archive, self.mark = archive, mark

    def commit(self, outputs: xr.Dataset, state: dict[str, torch.Tensor], attributes: dict[str, Any]) -> None:
        """Commit a window."""
        self.mark("commit+")
        self.archive.commit(outputs, state, attributes)
        self.mark("commit-")
        self.mark(f"ack {self.archive.restarts()[-1]}")

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the last state."""
        return self.archive.load()

    def open(self) -> xr.Dataset:
        """Return what is committed."""
        return self.archive.open()


def graph(mark: Mark = silent, seconds: float = 0.0) -> Graph:
    """Return plant and soil in a feedback loop, and a river."""
    parts = {"plant": Stress(), "soil": MarkedBucket(mark, seconds), "river": LinearReservoir()}
    return Graph(parts, [Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)])


def write_forcing(path: Path, cycles: int, *, cells: int = 3, seed: int = 1) -> Path:
    """Write the weather of so many cycles to a netCDF file."""
    weather(cycles * WINDOW_DAYS, cells, start="2001-01-01", seed=seed).to_netcdf(path, engine="h5netcdf")
    return path


def run(
    folder: Path,
    forcing: Path,
    *,
    cycles: int | None = None,
    mark: Mark = silent,
    seconds: float = 0.0,
    again: bool = False,
) -> list[int]:
    """Run to the end of a cycle (None: of the forcing), from the last one that is committed; return the restarts.

    `again` goes on after an error, in the same process and archive; what writer and reader then see is marked.
    """
    end = None if cycles is None else np.datetime64("2001-01-01") + np.timedelta64(cycles * WINDOW_DAYS, "D")
    mark("open+")
    with (
        xr.open_dataset(forcing, engine="h5netcdf") as weather_file,
        IcechunkArchive(folder, history=STREAMS, **KEEP) as archive,
    ):
        mark("open-")
        marked = MarkedArchive(archive, mark)
        begun = archive.restarts()
        if begun and archive.load()[1]["time"] == _last(weather_file, end):
            return begun  # a kill after the last commit: nothing is left to do
        settings = {"end": None if end is None else str(end), "window": f"{WINDOW_DAYS}D", "archive": marked, "seed": 7}
        model, slow = graph(mark, seconds), _slow(weather_file, mark, seconds)
        try:
            simulate(model, slow, resume=marked if begun else None, **settings)
        except StoreError:
            if not again:
                raise
            mark(f"again {archive.restarts()[-1]} {open_run(folder).cycles()[-1]}")
            simulate(model, slow, resume=marked, **settings)
        return archive.restarts()


def _slow(dataset: xr.Dataset, mark: Mark, seconds: float) -> xr.Dataset:
    def marked(values: xr.DataArray) -> xr.DataArray:
        lazy = indexing.LazilyIndexedArray(MarkedVariable(values.variable, mark, seconds))
        return values.copy(data=lazy)

    return dataset.assign({name: marked(values) for name, values in dataset.data_vars.items()})


def _last(dataset: xr.Dataset, end: np.datetime64 | None) -> str:
    last = dataset["time"].values[-1] + np.timedelta64(1, "D") if end is None else end
    return str(last.astype("datetime64[s]"))
