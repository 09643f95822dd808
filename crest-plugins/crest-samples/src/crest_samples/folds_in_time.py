"""Temporal and spatio-temporal folds: blocks of time, and a buffer before and after those that are tested."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from crest_samples.errors import SampleError
from crest_samples.folds_in_space import split_places
from crest_samples.parts import Fold, Part
from crest_samples.places import Places
from crest_samples.times import DAY, TimeAxis

Mask = NDArray[np.bool_]


def temporal_folds(places: Places, axis: TimeAxis, count: int, *, buffer: float) -> list[Fold]:
    """Return `count` folds, each testing one of as many equal blocks of time.

    At least `buffer` days lie between the end of an interval of one part and the start of one of the other; what is
    nearer is in neither part of that fold.
    """
    everywhere = np.ones(len(places), dtype=bool)
    return [
        Fold(
            number,
            Part(f"fold {number} train", places, axis, everywhere, far),
            Part(f"fold {number} test", places, axis, everywhere, tested),
        )
        for number, (far, tested) in enumerate(split_times(axis, count, buffer))
    ]


def spatio_temporal_folds(
    places: Places,
    axis: TimeAxis,
    counts: tuple[int, int],
    *,
    block: float,
    buffer: float,
    buffer_days: float,
    generator: torch.Generator,
) -> list[Fold]:
    """Return counts[0] x counts[1] folds: tested are the places of one and the times of one, trained on are others.

    Training shares neither places, target cells nor times with the test, and keeps both buffers [m, days].
    """
    space = split_places(places, counts[0], block, buffer, generator)
    pairs = [(where, when) for where in space for when in split_times(axis, counts[1], buffer_days)]
    return [where.fold(number, places, axis, when) for number, (where, when) in enumerate(pairs)]


def split_times(axis: TimeAxis, count: int, buffer: float) -> list[tuple[Mask, Mask]]:
    """Return, for each fold, which times may be trained on and which are tested."""
    if not buffer >= 0.0 or not 2 <= count <= len(axis):
        raise SampleError(
            f"folds: {count} folds of {len(axis)} times, buffer {buffer} days; expected 2 or more folds, no more than "
            f"times, and a buffer of 0 or more"
        )
    edges = np.linspace(0, len(axis), count + 1).round().astype(np.int64)
    numbers, folds = np.arange(len(axis)), []
    starts, ends = axis.spans
    for first, stop in zip(edges[:-1], edges[1:], strict=True):
        tested = (numbers >= first) & (numbers < stop)
        start, end = starts[first], ends[stop - 1]
        before = ends + buffer * DAY <= start
        folds.append((before | (starts >= end + buffer * DAY), tested))
    return folds
