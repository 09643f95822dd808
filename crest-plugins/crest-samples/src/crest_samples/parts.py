"""Part and Fold: some of the places and times, to train on or to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crest_core import parse_time
from crest_samples.errors import SampleError
from crest_samples.places import Places, place_dims
from crest_samples.times import TimeAxis, axis_of
from crest_samples.window import Window

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """Those places and those times of a data set that belong together."""

    name: str
    places: Places  # all, of which has_place marks some
    axis: TimeAxis
    has_place: Mask
    has_time: Mask
    tested: Mask | None = None  # places of the other part, which this one must share no target cell with
    log: tuple[str, ...] = ()  # what was left out, with counts

    def __post_init__(self) -> None:
        if not self.has_place.any() or not self.has_time.any():
            raise SampleError(
                f"part {self.name}: {self.has_place.sum()} of {len(self.places)} places and {self.has_time.sum()} of "
                f"{len(self.axis)} times are in it; take fewer folds, or smaller buffers"
                + "".join(f"; {line}" for line in self.log)
            )

    @property
    def period(self) -> tuple[str, str]:
        """First and last time."""
        dates = self.axis.dates[np.flatnonzero(self.has_time)[[0, -1]]]
        return dates[0].isoformat(), dates[1].isoformat()

    def has_places(self, places: Places) -> tuple[Mask, tuple[str, ...]]:
        """Return which places of samples are in the part, and what was left out: none shares a target with a test."""
        numbers = self.places.numbers(places)
        kept = self.has_place[numbers]
        if self.tested is None:
            return kept, self.log
        shared = kept & places.sharing(self.tested[numbers])
        lines = (sharing_line(self.name, shared),) if shared.any() else ()
        return kept & ~shared, (*self.log, *lines)

    def has_times(self, axis: TimeAxis) -> Mask:
        """Return which times of an axis are in the part, with their whole intervals.

        An interval is in it where intervals of the part cover all of it, of one length with it or not. SampleError
        where calendars or zones differ.
        """
        if axis.calendar != self.axis.calendar:
            raise SampleError(
                f"part {self.name}: its calendar is {self.axis.calendar}, that of the data {axis.calendar}"
            )
        if not self.axis.same_zone(axis):
            raise SampleError(
                f"part {self.name}: its time_zone is {self.axis.zone!r}, that of the data {axis.zone!r}; split "
                f"the times of the data"
            )
        start, end = axis.spans
        return self._covered(end) - self._covered(start) == end - start

    def _covered(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many seconds of the part lie before each instant."""
        start, end = (edge[self.has_time] for edge in self.axis.spans)
        end = np.minimum(end, np.append(start[1:], end[-1:]))  # bounds may overlap
        total = np.concatenate([[0], np.cumsum(end - start)])
        at = np.searchsorted(start, seconds, side="right")
        inside = np.clip(seconds - start[at - 1], 0, (end - start)[at - 1])
        return np.where(at > 0, total[at - 1] + inside, 0)

    def has_starts(self, axis: TimeAxis, window: Window, *, scored_only: bool = False) -> Mask:
        """Return which starts on an axis have windows whose steps, or scored steps only, are all in the part."""
        inside = np.concatenate([[0], np.cumsum(self.has_times(axis))])
        begin = window.length - window.scored if scored_only else 0
        starts = np.arange(max(len(axis) - window.length + 1, 0))
        return inside[starts + window.length] - inside[starts + begin] == window.length - begin

    def select(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return the places (along one dim cell) and times of a dataset that are in the part."""
        dims, places = place_dims(dataset), Places.of(dataset)
        chosen = np.flatnonzero(self.has_place[self.places.numbers(places)])
        if dims == ("y", "x"):
            rows = (xr.DataArray(axis, dims="cell") for axis in np.unravel_index(chosen, places.shape))
            dataset = dataset.isel(dict(zip(dims, rows, strict=True)))
            dataset = dataset.assign_coords(cell_id=("cell", places.ids[chosen]))
        else:
            dataset = dataset.isel(cell=chosen)
        if "time" in dataset.dims:
            dataset = dataset.isel(time=np.flatnonzero(self.has_times(axis_of(dataset, f"part {self.name}"))))
        return dataset

    def check(self, data: xr.Dataset | xr.DataArray, who: str) -> None:
        """Return if all of the data lie in the part; SampleError names the first place or time outside."""
        dataset = data.to_dataset(name="data") if isinstance(data, xr.DataArray) else data
        places = Places.of(dataset)
        numbers = self.places.numbers(places)
        outside = np.flatnonzero(~self.has_place[numbers])
        advice = f"select them first: part.select(dataset) of the part {self.name!r}"
        if len(outside):
            first = str(places.ids[outside[0]])
            raise SampleError(
                f"{who}: {len(outside)} of {len(places)} places are outside of it, as {first!r}; {advice}"
            )
        if "time" in dataset.dims:
            axis = axis_of(dataset, who)
            late = np.flatnonzero(~self.has_times(axis))
            if len(late):
                first = str(axis.dates[late[0]])
                raise SampleError(f"{who}: {len(late)} of {len(axis)} times are outside of it, as {first}; {advice}")


@dataclass(frozen=True, eq=False)
class Fold:
    """One turn of a cross-validation: train on one part, test on the other, nothing in the buffer between."""

    number: int
    train: Part
    test: Part


def sharing_line(name: str, shared: Mask) -> str:
    """Return the line of a log about places that are left out as they share target cells with tested ones."""
    return (
        f"{name}: {shared.sum()} of {len(shared)} places share target cells with tested places: left out; fewer with "
        f"larger blocks"
    )


def whole(places: Places, axis: TimeAxis, name: str = "all") -> Part:
    """Return the part that holds everything."""
    return Part(name, places, axis, np.ones(len(places), dtype=bool), np.ones(len(axis), dtype=bool))


def between(places: Places, axis: TimeAxis, name: str, start: str, end: str, ids: Sequence[str] | None = None) -> Part:
    """Return the part of the times whose intervals lie in [start, end), and of the named places (all by default)."""
    bounds = np.array([parse_time(text, axis.calendar) for text in (start, end)], dtype=object)
    first, stop = TimeAxis(bounds).seconds
    begin, finish = axis.spans
    has_time = (begin >= first) & (finish <= stop)
    if unknown := sorted(set(ids or ()) - set(places.ids.tolist())):
        raise SampleError(f"part {name}: the places {unknown[:5]} are unknown; names are those of cell_id")
    return Part(
        name, places, axis, np.ones(len(places), dtype=bool) if ids is None else np.isin(places.ids, ids), has_time
    )
