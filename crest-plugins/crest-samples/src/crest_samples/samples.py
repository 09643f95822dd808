"""Samples: windows of many sources at many places, ready in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crest_samples.batch import Batch
from crest_samples.errors import NoSuchSampleError, SampleError
from crest_samples.parts import Part
from crest_samples.patches import Patches
from crest_samples.places import Places
from crest_samples.series import Series, Statics
from crest_samples.times import TimeAxis
from crest_samples.window import Window

LOG = logging.getLogger("crest_samples")


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the samples, inputs or targets: what moves, what does not, and images."""

    series: Series
    statics: Statics
    patches: tuple[Patches, ...]

    def gather(self, place: Tensor, start: Tensor, length: int) -> dict[str, Tensor]:
        """Return `length` steps from `start` on, and the statics."""
        taken = self.series.gather(place, start, length) if self.series.layout.width else {}
        if self.statics.layout.width:
            taken |= self.statics.gather(place)
        for patches in self.patches:
            taken |= patches.gather(place, start, length)
        return taken

    @property
    def units(self) -> dict[str, str]:
        """Units of each variable, "1" of those that are transformed."""
        held = (self.series.units, self.statics.units, *(patches.units for patches in self.patches))
        return {name: units for one in held for name, units in one.items()}


@dataclass(frozen=True, eq=False)
class Samples(Dataset[Batch]):
    """Pairs of place and start: a data set of torch whose batches are tensors as components take them.

    `make_samples` builds one. `samples[[3, 1]]` is a Batch of two, `samples[3]` of one; a torch DataLoader takes
    `collate_fn=as_it_is`. `Loader` goes on in the middle of an epoch after a restart.
    """

    inputs: Side
    targets: Side
    window: Window
    places: Places
    axis: TimeAxis
    index: Tensor  # (sample, 2) int32: place, start
    log: tuple[str, ...] = ()  # what was left out, with counts

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: int | Sequence[int] | Tensor) -> Batch:
        numbers = self._numbers(torch.as_tensor([chosen] if isinstance(chosen, int) else chosen))
        place, start = self.index[numbers].to(torch.int64).unbind(1)
        scored = self.window.scored
        inputs = self.inputs.gather(place, start, self.window.length)
        targets = self.targets.gather(place, start + self.window.length - scored, scored)
        return Batch(inputs, targets, place, start, self.window, self.places, self.axis)

    def __getitems__(self, numbers: list[int]) -> Batch:
        """Return a batch: what a torch DataLoader calls."""
        return self[numbers]

    def _numbers(self, chosen: Tensor) -> Tensor:
        """Return the numbers that are chosen, by number or by a mask (sample,)."""
        if chosen.dtype == torch.bool and chosen.shape == (len(self),):
            chosen = chosen.nonzero()[:, 0]
        if not chosen.numel():
            raise SampleError("samples: a batch of 0 samples was asked for; give the number of one or more")
        if chosen.dim() != 1 or chosen.dtype == torch.bool or chosen.is_floating_point():
            raise SampleError(
                f"samples: chosen by {chosen.dtype} {tuple(chosen.shape)}; expected whole numbers (sample,), or a mask "
                f"({len(self)},)"
            )
        numbers = chosen.to(torch.int64)
        strange = numbers[(numbers < -len(self)) | (numbers >= len(self))]
        if len(strange):
            raise NoSuchSampleError(
                f"samples: there is no sample {int(strange[0])}; expected numbers from 0 to {len(self) - 1}, or from "
                f"-{len(self)} to -1 to count from the end"
            )
        return numbers

    def views(self) -> dict[str, Tensor]:
        """Return all windows of the inputs that move, (place, start, time, *extra), without a copy."""
        return self.inputs.series.windows(self.window.length)

    def subset(self, kept: Tensor, reason: str) -> Samples:
        """Return the samples of a mask (sample,) or of numbers; the log tells how many are left, and why."""
        index = self.index[kept]
        line = f"{reason}: {len(index)} of {len(self)} samples are kept"
        LOG.info(line)
        if not len(index):
            raise SampleError(f"samples: none is left ({line}); {'; '.join(self.log)}")
        return replace(self, index=index, log=(*self.log, line))

    def part(self, part: Part, *, scored_only: bool = False) -> Samples:
        """Return the samples of a part: its places, and windows that lie wholly in its times.

        With `scored_only` only the scored steps have to: inputs and spin-up may reach back beyond the part, which is
        right for a test of forecasts and leaks nothing into training as long as targets are not inputs. From the
        training part of a spatial fold places are left out that share a target cell with tested ones.
        """
        kept, left_out = part.has_places(self.places)
        has_place = torch.from_numpy(kept)
        has_start = torch.from_numpy(part.has_starts(self.axis, self.window, scored_only=scored_only))
        place, start = self.index.to(torch.int64).unbind(1)
        held = replace(self, log=(*self.log, *left_out))
        return held.subset(has_place[place] & has_start[start], f"part {part.name}")

    def target_mean(self, name: str) -> Tensor:
        """Return the mean of a target over the scored steps of each sample, nan where none is valid: for strata."""
        held = self.targets.series
        if name not in held.layout.shapes or held.layout.shapes[name]:
            raise SampleError(
                f"samples: no target {name!r} with one value per place and time; {list(held.layout.shapes)}"
            )
        values = held.values[..., held.layout.columns[name].start].to(torch.float64)
        present = ~torch.isnan(values)
        zero = torch.zeros(len(values), 1, dtype=torch.float64)
        total = torch.cat([zero, torch.where(present, values, 0.0).cumsum(1)], 1)
        count = torch.cat([zero, present.to(torch.float64).cumsum(1)], 1)
        place, start = self.index.to(torch.int64).unbind(1)
        end = start + self.window.length
        first = end - self.window.scored
        return (total[place, end] - total[place, first]) / (count[place, end] - count[place, first])


def as_it_is(batch: Batch) -> Batch:
    """Return a batch unchanged: the collate_fn of a torch DataLoader over `Samples`."""
    return batch
