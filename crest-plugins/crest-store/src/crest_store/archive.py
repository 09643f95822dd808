"""IcechunkArchive: what a run produces, cycle by cycle, each whole or absent."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

import xarray as xr
import zarr

from crest_core import FieldSpec, StoreError, Tensors
from crest_store import arrays, history, record, regions, restart
from crest_store import repository as repositories
from crest_store.errors import ReadOnlyError
from crest_store.intervals import bounds_of, check_whole, nominal
from crest_store.methods import cell_methods
from crest_store.reduction import Partial, reduce
from crest_store.restart import Checkpoint
from crest_store.run import Run, open_run
from crest_store.stream import Stream, check_streams
from crest_store.writer import Writer

_LOG = logging.getLogger(__name__)
_BRANCH = re.compile(r"[a-z0-9][a-z0-9_-]*")


class IcechunkArchive:
    """History streams, restarts and record of a run in an Icechunk repository: one commit a cycle.

    `history` None keeps all outputs of each step, or goes on with the streams that the run has. The restarts of
    the last `keep` cycles and of every `keep_every`-th are kept.

    Use it in `with`: leaving it logs the intervals that are not complete, as close() does, and where a run fails before
    its first cycle, deletes what it has made.
    """

    def __init__(
        self,
        path: repositories.Place,
        *,
        history: Mapping[str, Stream | Mapping[str, Any]] | None = None,
        keep: int = 3,
        keep_every: int = 0,
        branch: str = "main",
    ) -> None:
        if keep < 1 or keep_every < 0:
            raise StoreError(f"keep={keep}, keep_every={keep_every}: expected at least 1 and at least 0 restarts")
        self.path, self.branch = path, branch
        self.keep, self.keep_every = keep, keep_every
        self._asked = None if history is None else check_streams(history)
        self._writer: Writer | None = None
        self._back: int | None = None
        self._last = Checkpoint()  # of the last commit since it was opened

    def __enter__(self) -> Self:
        self._opened(create=True)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and self._writer is not None:
            self._writer.discard()  # of a run that failed before its first cycle nothing stays
        self.close()

    def close(self) -> None:
        """Let another process write; the next call opens the run again. Intervals that are not complete are logged."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for name, (start, steps) in self._last.incomplete.items():
            _LOG.warning(
                f"run {self.path}, stream {name}: the interval from {start} has {steps} steps up to "
                f"{self._last.attributes['time']} and is not complete: history leaves it out, a run that goes on from "
                f"here completes it"
            )
        self._last = Checkpoint()

    def check(self, outputs: Sequence[FieldSpec], places: xr.Dataset, step: timedelta | None = None) -> None:
        """Refuse, before a run, streams that do not fit what it will give: fields, statistics, region, length of steps.

        `places` has the coordinates of the places, as the forcing has. What is left to see shows in the first commit.
        """
        for name, stream in self._streams(self._opened(create=True).root()).items():
            kept = regions.fields_of([spec.name for spec in outputs], name, stream)
            regions.within(places, name, stream)
            if not stream.every:
                continue
            for spec in [spec for spec in outputs if spec.name in kept and not spec.static]:
                cell_methods(f"stream {name}: {spec.name}", f"time: {spec.statistic}", stream.statistic, 1)
            if step is not None:
                check_whole(name, stream.every, step)

    def commit(self, outputs: xr.Dataset, state: Tensors, attributes: Mapping[str, Any]) -> None:
        """Append the outputs of a window, its restart and its record in one commit."""
        writer = self._opened(create=True)
        with repositories.speaking(f"cycle of {attributes.get('start')} of run {self.path}"):
            session = writer.repository.writable_session(self.branch)
            root = zarr.open_group(session.store, mode="a")
            base = self._base(root)
            streams = self._streams(root)
            self._check_start(base, attributes)
            if self._back is not None:
                _cut(root, base)
            after = self._append(root, base, streams, outputs, dict(attributes))
            restart.write(root, after, state)
            restart.retain(root, after.cycle, self.keep, self.keep_every)
            writer.commit(session, after.cycle)
        self._back, self._last = None, after

    def load(self, cycle: int | None = None) -> tuple[Tensors, dict[str, Any]]:
        """Return the state at the end of a kept cycle and its attributes; the last by default.

        Where this process may not write, the run is read as by `open_run`.
        """
        wanted = cycle if cycle is not None else self._back
        try:
            writer = self._opened()
        except ReadOnlyError:
            return self._committed().restart(wanted)
        with repositories.speaking(f"restart of run {self.path}"):
            root = writer.root()
            number = restart.newest(root) if wanted is None else wanted
            with writer.naming_damage(root, number):
                checkpoint, state = restart.read(root, number)
            return state, checkpoint.attributes

    def open(self, stream: str | None = None) -> xr.Dataset:
        """Return a stream of history as it is committed, read when needed; by default the first one."""
        return self._committed().history(stream)

    def streams(self) -> list[str]:
        """Return the names of the history streams, the first one first."""
        return self._committed().streams()

    def restarts(self) -> list[int]:
        """Return the cycles that a run can go on from; none where nothing is committed yet."""
        if self._writer is None and not repositories.exists(self.path):
            return []
        return self._committed().restarts()

    def back_to(self, cycle: int) -> None:
        """Go on from the end of a kept cycle: the next commit takes the place of all that came after it."""
        self.load(cycle)
        self._back = cycle

    def branch_from(self, cycle: int, name: str) -> None:
        """Make a branch that ends with a kept cycle and shares its data; go on with IcechunkArchive(branch=name).

        One that is there and still ends with that cycle, as after a kill before its first own cycle, stays as it is.
        """
        writer = self._opened()
        if not _BRANCH.fullmatch(name):
            raise StoreError(f"branch {name!r}: expected a name [a-z0-9][a-z0-9_-]*, such as 'dry-year'")
        with repositories.speaking(f"branch {name} of run {self.path}"):
            if name in (known := repositories.branches(writer.repository, writer.folder)):
                if self._ends_with(cycle, name):
                    return
                raise StoreError(f"run {self.path} has a branch {name!r}; branches: {', '.join(known)}")
            session = writer.repository.writable_session(self.branch)
            root = zarr.open_group(session.store, mode="a")
            base = restart.checkpoint(root, cycle)
            if cycle != restart.newest(root):
                _cut(root, base)
            writer.commit(session, cycle, branch=name)

    def _ends_with(self, cycle: int, name: str) -> bool:
        """Return whether a branch ends with a cycle of this one, and has no own."""
        other = open_run(self.path, name)
        return other.cycles()[-1:] == [cycle] and other.restart(cycle)[1] == self.load(cycle)[1]

    def _opened(self, create: bool = False) -> Writer:
        if self._writer is None:
            self._writer = Writer(self.path, self.branch, create=create)
        return self._writer

    def _committed(self) -> Run:
        """Return what is committed; a reader needs no lock."""
        if self._writer is None:
            return open_run(self.path, self.branch)
        with repositories.speaking(f"run {self.path}"):
            writer = self._writer
            return Run(str(self.path), self.branch, writer.head(), writer.repository, writer.folder)

    def _base(self, root: zarr.Group) -> Checkpoint:
        """Return what the next cycle goes on from."""
        cycles = restart.cycles(root)
        if not cycles:
            return Checkpoint()
        return restart.checkpoint(root, cycles[-1] if self._back is None else self._back)

    def _streams(self, root: zarr.Group) -> dict[str, Stream]:
        """Return the streams of the run: those it was begun with, which do not change."""
        stored: Any = root.attrs.get("streams")
        if stored is None:
            streams = self._asked or {"outputs": Stream()}
            if not root.read_only:
                root.attrs["streams"] = [{"name": name, **one.described()} for name, one in streams.items()]
            return streams
        streams = {one["name"]: Stream.from_description(one) for one in stored}
        if self._asked is not None and self._asked != streams:
            differing = sorted(n for n in {*streams, *self._asked} if streams.get(n) != self._asked.get(n))
            raise StoreError(
                f"run {self.path} was begun with other history streams (differing: {', '.join(differing)}); "
                f"leave history out to go on with them, or write to another path"
            )
        return streams

    def _check_start(self, base: Checkpoint, attributes: Mapping[str, Any]) -> None:
        if missing := [key for key in ("start", "time", "calendar") if key not in attributes]:
            raise StoreError(f"attributes of a cycle lack {', '.join(missing)}")
        if base.cycle and base.attributes["time"] != attributes["start"]:
            raise StoreError(
                f"run {self.path} holds cycles up to {base.attributes['time']} and this window starts at "
                f"{attributes['start']}; resume the run, go back_to a kept cycle, or write to another path"
            )

    def _append(
        self,
        root: zarr.Group,
        base: Checkpoint,
        streams: Mapping[str, Stream],
        outputs: xr.Dataset,
        attributes: dict[str, Any],
    ) -> Checkpoint:
        """Append to history and record; return the checkpoint after it."""
        cycle, calendar = base.cycle + 1, str(attributes["calendar"])
        size = record.append(root, cycle, attributes)
        lengths: dict[str, int] = {}
        partials: dict[str, Partial] = {}
        span = bounds_of(outputs, calendar)
        for name, stream in streams.items():
            data = regions.select(outputs, name, stream)
            before = base.partials.get(name, Partial())
            rows, partials[name] = reduce(data, name, stream, calendar, before)
            chunk = stream.chunk or _rows_in(int(span[-1, 1] - span[0, 0]), stream, len(span))
            about = {**outputs.attrs, **attributes, "stream": name}
            lengths[name] = history.append(root, name, rows, calendar, chunk, about)
        return Checkpoint(cycle, attributes, lengths, partials, size)


def _rows_in(seconds: int, stream: Stream, steps: int) -> int:
    """Return about how many rows a window brings to a stream."""
    if not stream.every:
        return steps
    return max(1, round(seconds / nominal(stream.every).total_seconds()))


def _cut(root: zarr.Group, base: Checkpoint) -> None:
    """Take away all that came after a checkpoint."""
    for name, rows in base.lengths.items():
        history.cut(root, name, rows)
    arrays.cut(root, "record", base.record)
    for cycle in restart.cycles(root):
        if cycle > base.cycle:
            restart.delete(root, cycle)
