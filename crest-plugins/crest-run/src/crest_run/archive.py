"""The store of a run: where its cycles are committed, and from which of them it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from crest_core import Graph, parse_time, parse_timestep
from crest_run.cycling import ICECHUNK, CyclingArchive, archive_class
from crest_run.errors import RunFileError
from crest_run.runfile import RunFile
from crest_run.store_section import StoreSection, StreamSection


@dataclass(frozen=True)
class GoingOn:
    """From where a run with a store goes on: its last cycle or an earlier one.

    `branch` names the branch to go on with; `new` makes it there first, so that the run itself stays as it is.
    """

    cycle: int | None = None
    branch: str = "main"
    new: bool = False

    @property
    def same(self) -> bool:
        """Whether it is the same run that goes on: the last cycle, with what made it."""
        return self.cycle is None and not self.new


@dataclass(frozen=True)
class Opened:
    """A store that this process alone writes; `resume` is the store where it holds a cycle to go on from, with `facts`
    of it: time, hashes, run file.
    """

    archive: CyclingArchive
    resume: CyclingArchive | None
    facts: Mapping[str, Any]

    def check(self, graph: Graph, fields: Sequence[str], places: xr.Dataset) -> None:
        """Raise where a stream of history does not fit the outputs that are kept, or the places of the forcing."""
        kept = [spec for spec in graph.outputs if not fields or spec.name in fields]
        self.archive.check(kept, places, parse_timestep(graph.timestep))


@contextmanager
def open_archive(run: RunFile, going_on: GoingOn | None, end: Callable[[], Any]) -> Iterator[Opened]:
    """Open the store of a run for this driver alone; `end` returns the date at which the run ends.

    A run that goes on in a store without any cycle begins, so that a run that was killed early can be repeated.
    """
    section = run.output.store
    if section is None:
        raise RunFileError(f"{run.where('output')}: going on from a cycle needs the key store; add it, or use resume")
    go = going_on or GoingOn()
    with ExitStack() as opened:
        if go.new:
            _branch(run, section, go, end())
        with run.at("output", "store"):  # not around the run itself, whose errors are of other places
            settings = {"keep": section.keep, "keep_every": section.keep_every, "branch": go.branch}
            archive: CyclingArchive = opened.enter_context(
                archive_class(section.use)(section.path, history=_streams(section), **settings)
            )
            cycles = archive.restarts()
            if cycles and not going_on:
                raise RunFileError(
                    f"{section.path} holds a run up to cycle {cycles[-1]}; --resume goes on with it, --from CYCLE goes "
                    f"back to an earlier one, --branch NAME leaves it as it is; or give another path"
                )
            back = go.cycle if not go.new else None
            time = archive.load(back)[1]["time"] if back is not None else ""
        if back is not None:
            _check_left(run, back, time, end())
            with run.at("output", "store"):
                archive.back_to(back)
        with run.at("output", "store"):
            facts = archive.load()[1] if cycles else {}
        yield Opened(archive, archive if cycles else None, facts)


def _branch(run: RunFile, section: StoreSection, go: GoingOn, end: Any) -> None:
    """Make a branch, if there is anything left to run in it."""
    with run.at("output", "store"), archive_class(section.use)(section.path) as trunk:
        cycles = trunk.restarts()
        if not cycles:
            raise RunFileError(f"{section.path} holds no cycle yet that a branch could go on from; run it first")
        cycle = cycles[-1] if go.cycle is None else go.cycle
        time = trunk.load(cycle)[1]["time"]
    _check_left(run, cycle, time, end)
    with run.at("output", "store"), archive_class(section.use)(section.path) as trunk:
        trunk.branch_from(cycle, go.branch)


def _check_left(run: RunFile, cycle: int, time: str, end: Any) -> None:
    """Raise where a run that leaves its cycle has nothing left to run."""
    if parse_time(time, run.calendar) >= end:
        where = run.where("period", "end") if run.period else run.where("forcing")
        raise RunFileError(
            f"{where}: the run ends at {end}, and cycle {cycle} of the store ends at {time}; set a later end, or "
            f"--from CYCLE"
        )


def open_results(path: str | Path, branch: str = "main", *, use: str = ICECHUNK) -> dict[str, xr.Dataset]:
    """Return the streams of history of a store by name, read when needed; `use` as in the run file."""
    archive: CyclingArchive = archive_class(use)(path, branch=branch)
    streams: dict[str, xr.Dataset] = {name: archive.open(name) for name in archive.streams()}
    return streams


def _streams(section: StoreSection) -> dict[str, Any] | None:
    return {name: _stream(stream) for name, stream in section.history.items()} or None


def _stream(section: StreamSection) -> dict[str, Any]:
    """Return a stream as the archive reads it."""
    region = {"box": section.box.model_dump()} if section.box else {"cells": section.cells} if section.cells else None
    content = section.model_dump(include={"every", "statistic"})
    return content | {"fields": section.fields, "region": region, "chunk": 0}
