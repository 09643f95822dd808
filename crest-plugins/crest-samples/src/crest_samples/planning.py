"""plan_samples: match places to sources before anything is read; a plan reads all of it, or block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crest_samples.assembling import hide, read_side, valid_windows
from crest_samples.errors import SampleError
from crest_samples.footprints import Footprint
from crest_samples.masks import Mask
from crest_samples.matching import Match, match
from crest_samples.parts import Part
from crest_samples.places import Places, place_dims
from crest_samples.reading import extra_shape
from crest_samples.samples import LOG, Samples
from crest_samples.scaling import Scaling
from crest_samples.source import Source
from crest_samples.times import TimeAxis, shared_axis
from crest_samples.transforms import Transform
from crest_samples.window import Window


@dataclass(frozen=True, eq=False)
class Plan:
    """Sources, the places that they all match, and the times that they share; nothing is read yet."""

    inputs: tuple[Source, ...]
    targets: tuple[Source, ...]
    window: Window
    places: Places
    axis: TimeAxis
    begins: tuple[int, ...]  # where the axis begins in each source, inputs first
    matches: tuple[Match, ...]
    every: int
    shares: tuple[float, float]  # of valid inputs and targets
    masks: tuple[Mask, ...]
    transforms: Mapping[str, Transform]
    dtype: torch.dtype
    log: tuple[str, ...]
    has_start: NDArray[np.bool_]  # of each time at which a window may begin

    @property
    def sources(self) -> tuple[Source, ...]:
        """Inputs, then targets."""
        return self.inputs + self.targets

    @property
    def width(self) -> int:
        """Values that move, of one place and time."""
        shapes = [
            (s, s.flag, extra_shape(s, n)) for s in self.sources for n in s.variables if s.moves(n) and not s.patch
        ]
        return sum((1 + flag) * int(np.prod(shape)) for _, flag, shape in shapes)

    def part(self, part: Part, *, scored_only: bool = False) -> Plan:
        """Return the plan of the samples of a part, as `Samples.part` takes them: for data larger than memory."""
        has_place, left_out = part.has_places(self.places)
        kept = np.flatnonzero(has_place)
        has_start = self.has_start & part.has_starts(self.axis, self.window, scored_only=scored_only)
        line = (
            f"part {part.name}: {len(kept)} of {len(self.places)} places and {has_start.sum()} of {len(has_start)} "
            f"starts are in it"
        )
        LOG.info(line)
        log = (*self.log, *left_out, line)
        if not len(kept) or not has_start.any():
            raise SampleError(f"samples: none is left ({line}); {'; '.join(log)}")
        matches = tuple(one.take(kept) for one in self.matches)
        return replace(self, places=self.places.take(kept), matches=matches, has_start=has_start, log=log)

    def read(self, numbers: NDArray[np.int64], first: int, stop: int) -> Samples:
        """Return the samples of some places that begin at the times first, ..., stop - 1, perhaps none."""
        end = min(stop + self.window.length - 1, len(self.axis))
        places, axis, count = self.places.take(numbers), self.axis.part(first, end), len(self.inputs)
        matches = [one.take(numbers) for one in self.matches]
        begins = [begin + first for begin in self.begins]
        facts = (end - first, self.transforms, self.dtype)
        inputs = read_side(self.inputs, matches[:count], begins[:count], *facts)
        targets = read_side(self.targets, matches[count:], begins[count:], *facts)
        log = list(self.log)
        for mask in self.masks:
            keep = mask.keep(places, axis)
            if keep.ndim == 2:
                log.append(f"{mask}: {hide(targets, torch.from_numpy(keep))} target values left out")
        valid, more = valid_windows(inputs, targets, self.window, end - first, *self.shares)
        starts = first + torch.arange(valid.shape[1])
        chosen = torch.from_numpy(self.has_start[first : first + len(starts)])
        valid[:, (starts % self.every != 0) | (starts >= stop) | ~chosen] = False
        index = torch.nonzero(valid).to(torch.int32)
        log += more
        for line in log[len(self.log) :]:
            LOG.info(line)
        return Samples(inputs, targets, self.window, places, axis, index, tuple(log))


def plan_samples(
    inputs: Sequence[Source],
    targets: Sequence[Source],
    window: Window,
    *,
    places: Places | None = None,
    period: tuple[Any, Any] | None = None,
    every: int = 1,
    valid_inputs: float = 1.0,
    valid_targets: float = 0.0,
    masks: Sequence[Mask] = (),
    unmatched: str = "error",
    transforms: Mapping[str, Transform] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Plan:
    """Return the plan of the samples that `make_samples` describes: what a `BlockLoader` reads."""
    _check(inputs, targets, every, valid_inputs, valid_targets, unmatched, transforms or {})
    sources = [*inputs, *targets]
    places = Places.of(targets[0].data) if places is None else places
    if not len(places):
        raise SampleError("samples: 0 places are given; give one or more")
    axis, begins = shared_axis(sources, period)
    matches = [match(source, places) for source in sources]
    kept, log = _matched(sources, matches, places, unmatched)
    moving = []
    for mask in masks:
        keep = mask.keep(places.take(kept), axis.part(0, 1))
        if keep.ndim == 2:
            moving.append(mask)
            continue
        log.append(f"{mask}: {int((~keep).sum())} of {len(keep)} places left out")
        kept = kept[keep]
    for line in log:
        LOG.info(line)
    if not len(kept):
        raise SampleError(f"samples: no place is left; {'; '.join(log)}")
    matches = [one.take(kept) for one in matches]
    footprints = tuple(map(_footprint, targets, matches[len(inputs) :]))
    return Plan(
        tuple(inputs),
        tuple(targets),
        window,
        replace(places.take(kept), footprints=footprints),
        axis,
        tuple(begins),
        tuple(matches),
        every,
        (valid_inputs, valid_targets),
        tuple(moving),
        transforms or {},
        dtype,
        tuple(log),
        np.ones(max(len(axis) - window.length + 1, 0), dtype=bool),
    )


def _check(
    inputs: Sequence[Source],
    targets: Sequence[Source],
    every: int,
    valid_inputs: float,
    valid_targets: float,
    unmatched: str,
    transforms: Mapping[str, Transform],
) -> None:
    if not inputs or not targets:
        raise SampleError(f"samples: {len(inputs)} inputs and {len(targets)} targets; give one source or more of each")
    if (
        not isinstance(every, Integral)
        or every < 1
        or not 0.0 <= valid_inputs <= 1.0
        or not 0.0 <= valid_targets <= 1.0
    ):
        raise SampleError(
            f"samples: every {every}, valid_inputs {valid_inputs}, valid_targets {valid_targets}; expected a "
            f"whole number of 1 or more, and shares from 0 to 1"
        )
    if unmatched not in ("error", "drop"):
        raise SampleError(f"samples: unmatched {unmatched!r}, expected 'error' or 'drop'")
    for side in (inputs, targets):
        names = [name for source in side for name in source.variables]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SampleError(f"samples: {twice} stand in two sources of one side; rename one, or list variables=")
    known = {name for source in (*inputs, *targets) for name in source.variables}
    if strange := sorted(set(transforms) - known):
        raise SampleError(f"samples: transforms of {strange}, which no source holds; it has {sorted(known)}")
    if patched := [
        source for source in (*inputs, *targets) if source.patch and set(source.variables) & set(transforms)
    ]:
        raise SampleError(f"{patched[0]}: transforms of images are applied to the batch, or by the network's TensorMap")
    if isinstance(transforms, Scaling):
        for source in (*inputs, *targets):
            for name in set(source.variables) & set(transforms):
                transforms.check_units(name, str(source.data[name].attrs.get("units", "")), str(source))


def _footprint(target: Source, found: Match) -> Footprint:
    shape = tuple(target.data.sizes[dim] for dim in place_dims(target.data))
    return Footprint(found.weights, shape, target.patch)


def _matched(
    sources: Sequence[Source], matches: Sequence[Match], places: Places, unmatched: str
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the numbers of the places that all required sources match."""
    kept, log = np.ones(len(places), dtype=bool), []
    for source, found in zip(sources, matches, strict=True):
        lost = np.flatnonzero(~found.matched)
        if source.patch is None and source.optional or not len(lost):
            continue
        names = ", ".join(map(str, places.ids[lost[:3]]))
        beyond = f" within {source.radius:g} m" if source.match == "nearest" else ""
        what = f"{source}: {len(lost)} of {len(places)} places have no match ({source.match}{beyond}), as {names}"
        if unmatched == "error":
            raise SampleError(f"{what}; widen the match, leave out the places, or drop them with unmatched='drop'")
        log.append(f"{what}: dropped")
        kept &= found.matched
    return np.flatnonzero(kept), log
