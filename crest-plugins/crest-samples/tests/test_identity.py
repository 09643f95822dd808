"""What is told apart has identities of its own, and loaders go on with no other."""

from dataclasses import dataclass

import numpy as np
import pytest
import shapely
import torch
from crest_samples import Between, BlockLoader, Box, Inside, OneOf, SampleError, Source, Window, plan_samples
from crest_samples.example import example_gauges as gauges

SLOPE = Source(gauges(), ("slope",))
LAND = Source(gauges(), ("land_cover",))
MASKS = [
    Box(-1, 1, 0, 10),
    Box(-1, 1, 0, 11),
    Inside(shapely.box(0, 0, 1, 1)),
    Inside(shapely.box(0, 0, 1, 2)),  # of the same name
    Between(LAND, low=0.1),
    Between(LAND, low=0.1 + 1e-12),
    OneOf(LAND, (0, 1)),
    OneOf(LAND, (0, 2)),
    OneOf(Source(gauges(), ("land_cover",), match="containing"), (0, 1)),
]


def test_each_mask_has_an_identity_of_its_own_and_equal_ones_share_it():
    assert len({mask.identity() for mask in MASKS}) == len(MASKS)
    assert Box(-1, 1, 0, 10).identity() == Box(-1.0, 1.0, 0.0, 10.0).identity()
    assert OneOf(Source(gauges(), ("land_cover",)), {1, 0}).identity() == OneOf(LAND, (0, 1)).identity()
    assert Inside(shapely.box(0, 0, 1, 1), "a square").identity() == MASKS[2].identity()


@dataclass(frozen=True, eq=False)
class Days:
    """A mask of one day in so many, that has no text of its own."""

    every: int

    def __str__(self):
        return "Days"

    def keep(self, places, axis):
        return np.broadcast_to(axis.seconds % (86400 * self.every) == 0, (len(places), len(axis)))

    def identity(self):
        return f"Days({self.every})"


def of_gauges(low=5.0, **options):
    return Between(Source(gauges(), ("discharge",), **options), low=low)


NORTH = [gauges().assign_coords(lat=gauges()["lat"] + 0.001), ("discharge",)]


@pytest.mark.parametrize(
    ("same", "other"),
    [
        ((Days(2), Days(2)), Days(3)),  # masks with one text
        ((of_gauges(), of_gauges()), of_gauges(5.0000001)),  # one in six digits
        ((of_gauges(), of_gauges()), of_gauges(match="nearest", radius=1e3)),
        ((of_gauges(), of_gauges()), Between(Source(*NORTH), low=5.0)),
    ],
)
def test_blocks_of_another_mask_are_refused(same, other):
    first, again, strange = [
        BlockLoader(
            plan_samples([SLOPE], [Source(gauges(), ("discharge",))], Window(10), masks=[mask]),
            32,
            torch.Generator().manual_seed(7),
            memory=1e6,
        )
        for mask in (*same, other)
    ]
    again.restore(first.state())
    with pytest.raises(SampleError, match="blocks: the state is of other places, times, variables or masks; make it"):
        strange.restore(first.state())
