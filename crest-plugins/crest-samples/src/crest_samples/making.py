"""make_samples: all samples of some sources, read into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from crest_samples.errors import SampleError
from crest_samples.masks import Mask
from crest_samples.places import Places
from crest_samples.planning import plan_samples
from crest_samples.samples import Samples
from crest_samples.source import Source
from crest_samples.transforms import Transform
from crest_samples.window import Window


def make_samples(
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
) -> Samples:
    """Return the samples of all places (default: those of the first target) and every `every`-th start.

    Kept are windows in which at least the share `valid_inputs` of the values of required inputs is there, and more
    than none, at least the share `valid_targets`, of the scored values of targets. A place that a required source does
    not match is an error, or dropped with `unmatched="drop"`. What is left out is counted in `log`. `period` [start,
    end) is needed where sources hold different times. Everything is read into memory; `BlockLoader` reads in blocks.
    """
    plan = plan_samples(
        inputs,
        targets,
        window,
        places=places,
        period=period,
        every=every,
        valid_inputs=valid_inputs,
        valid_targets=valid_targets,
        masks=masks,
        unmatched=unmatched,
        transforms=transforms,
        dtype=dtype,
    )
    samples = plan.read(np.arange(len(plan.places)), 0, len(plan.axis))
    if not len(samples):
        raise SampleError(f"samples: no window of {window.length} steps is left; {'; '.join(samples.log)}")
    return samples
