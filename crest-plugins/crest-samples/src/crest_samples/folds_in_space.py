"""Spatial folds: blocks of neighbouring places, and a buffer around those that are tested."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crest_samples.errors import SampleError
from crest_samples.great_circle import EARTH_RADIUS, nearest
from crest_samples.parts import Fold, Part, sharing_line
from crest_samples.places import Places
from crest_samples.times import TimeAxis

LOG = logging.getLogger("crest_samples")

Mask = NDArray[np.bool_]


def spatial_folds(
    places: Places, axis: TimeAxis, count: int, *, block: float, buffer: float, generator: torch.Generator
) -> list[Fold]:
    """Return `count` folds; each place is tested in one of them, together with all of its block.

    Blocks are squares of about `block` [m] on the sphere. Places within `buffer` [m] of a tested one are in neither
    part of that fold. The places of samples (`samples.places`) know their targets: those that take one from the same
    cell are of one block, and those whose patch or area shares cells with a tested one are left out of training, which
    the log of the part tells.
    """
    always = np.ones(len(axis), dtype=bool)
    splits = split_places(places, count, block, buffer, generator)
    return [one.fold(number, places, axis, (always, always)) for number, one in enumerate(splits)]


@dataclass(frozen=True, eq=False)
class PlaceSplit:
    """Which places may be trained on, and which are tested; `shared` are left out for their targets alone."""

    far: Mask
    tested: Mask
    shared: Mask

    def fold(self, number: int, places: Places, axis: TimeAxis, times: tuple[Mask, Mask]) -> Fold:
        """Return the fold of these places with the times of training and test."""
        name = f"fold {number} train"
        log = (sharing_line(name, self.shared),) if self.shared.any() else ()
        for line in log:
            LOG.info(line)
        return Fold(
            number,
            Part(name, places, axis, self.far, times[0], self.tested, log),
            Part(f"fold {number} test", places, axis, self.tested, times[1]),
        )


def split_places(
    places: Places, count: int, block: float, buffer: float, generator: torch.Generator
) -> list[PlaceSplit]:
    """Return, for each fold, which places may be trained on and which are tested."""
    if not block > 0.0 or not buffer >= 0.0:
        raise SampleError(f"folds: block {block} and buffer {buffer} in metres; expected above 0, and 0 or more")
    places.check_located("folds")
    blocks = _blocks(places, block)[places.first_together()]
    blocks = np.unique(blocks, return_inverse=True)[1].ravel()
    sizes = np.bincount(blocks)
    if not 2 <= count <= len(sizes):
        raise SampleError(
            f"folds: {count} folds of {len(sizes)} blocks of {block:g} m; expected 2 or more folds and at least one "
            f"block for each; take smaller blocks"
        )
    fold_of, held = np.zeros(len(sizes), dtype=np.int64), np.zeros(count, dtype=np.int64)
    for one in torch.randperm(len(sizes), generator=generator).tolist():  # each to the fold that is smallest by now
        fold_of[one] = np.argmin(held)
        held[fold_of[one]] += sizes[one]
    return [_split(places, fold_of[blocks] == number, buffer) for number in range(count)]


def _blocks(places: Places, size: float) -> NDArray[np.int64]:
    """Return the number of each place's block: rows of equal height, cut into pieces about as wide as high."""
    row = np.floor(np.radians(places.lat + 90.0) * EARTH_RADIUS / size).astype(np.int64)
    middle = np.clip((row + 0.5) * size / EARTH_RADIUS - np.pi / 2.0, -np.pi / 2.0, np.pi / 2.0)
    around = np.maximum(np.round(2.0 * np.pi * EARTH_RADIUS * np.cos(middle) / size), 1.0)
    column = np.floor((places.lon + 180.0) / 360.0 * around).astype(np.int64)
    return np.unique(np.stack([row, column]), axis=1, return_inverse=True)[1].ravel()


def _split(places: Places, tested: Mask, buffer: float) -> PlaceSplit:
    """Return the places that are more than `buffer` [m] from all that are tested, and share no target with them."""
    _, metres = nearest(places.lat, places.lon, places.lat[tested], places.lon[tested])
    far = ~tested & (metres > buffer)
    shared = far & places.sharing(tested)
    return PlaceSplit(far & ~shared, tested, shared)
