"""Samples are taken by their numbers, or by a mask; what is none of them is named."""

import numpy as np
import pytest
import torch
from crest_samples import SampleError, Source, Window, make_samples
from crest_samples.example import example_gauges as gauges

SAMPLES = make_samples([Source(gauges(), ("slope",))], [Source(gauges(), ("discharge",))], Window(10))
LAST = len(SAMPLES) - 1


@pytest.mark.parametrize("one", [9999, LAST + 1, -LAST - 2])
@pytest.mark.parametrize(
    "wrap", [int, lambda one: [0, one], lambda one: torch.tensor([one]), lambda one: np.array([one])]
)
def test_a_number_of_no_sample_is_refused_by_name(one, wrap):
    words = (
        f"samples: there is no sample {one}; expected numbers from 0 to 545, or from -546 to -1 to count from the end"
    )
    with pytest.raises(SampleError, match=words):
        SAMPLES[wrap(one)]
    with pytest.raises(IndexError):  # which ends a loop over them
        SAMPLES[wrap(one)]


def test_numbers_and_a_mask_of_them_choose_the_same():
    mask = torch.zeros(len(SAMPLES), dtype=torch.bool)
    mask[[0, LAST]] = True
    by_mask = SAMPLES[mask]
    for numbers in ([0, LAST], [-LAST - 1, -1], np.array([0, LAST], dtype=np.int16)):
        batch = SAMPLES[numbers]
        assert torch.equal(batch.place, by_mask.place) and torch.equal(batch.start, by_mask.start)
    assert sum(1 for _ in SAMPLES) == len(SAMPLES)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ([0.5], r"chosen by torch.float32 \(1,\); expected whole numbers \(sample,\), or a mask \(546,\)"),
        (torch.ones(3, dtype=torch.bool), r"chosen by torch.bool \(3,\); expected whole numbers"),
        (torch.zeros(2, 2, dtype=torch.int64), r"chosen by torch.int64 \(2, 2\)"),
        (torch.zeros(len(SAMPLES), dtype=torch.bool), "a batch of 0 samples was asked for; give the number of one"),
    ],
)
def test_what_are_no_numbers_is_refused(chosen, words):
    with pytest.raises(SampleError, match=f"samples: {words}"):
        SAMPLES[chosen]
