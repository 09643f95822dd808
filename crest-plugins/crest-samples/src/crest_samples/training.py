"""TrainingSamples: samples of forcing and observations, with batches and statistics of periods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from crest_samples.errors import SampleError
from crest_samples.fitting import ROUNDING
from crest_samples.loader import Loader
from crest_samples.making import make_samples
from crest_samples.orders import InOrder, Shuffled
from crest_samples.parts import Part, between
from crest_samples.source import Source
from crest_samples.window import Window

Period = tuple[str, str]
Statistics = tuple[dict[str, float], dict[str, float]]


class TrainingSamples:
    """All samples of two datasets: what `crest train` takes of this package, under the name training-samples.

    The places are those of the targets; inputs of other places are found by name (cell_id). Periods are [start, end)
    and hold the scored steps: spin-up may reach back before them. Every `every`-th start is taken. Training and
    validation share no step: a period that overlaps one asked for before, without being the same, is refused, and one
    that batches were shuffled from (training) is not gone through in order (validation). Statistics are of a period
    that is trained on.

    Windows with a gap in an input are left out, but not for gaps in the inputs that are named in `missing`: the model
    is handed nan there, and has to take it.

    >>> from crest_samples import example_gauges
    >>> gauges = example_gauges()
    >>> held = TrainingSamples(gauges[["slope"]], gauges[["discharge"]], steps=30, spin_up=10)
    >>> len(held.loader(("2001-02-01", "2001-03-15"), batch=8))
    10
    """

    def __init__(
        self,
        inputs: xr.Dataset,
        targets: xr.Dataset,
        *,
        steps: int,
        spin_up: int = 0,
        every: int = 1,
        missing: Sequence[str] = (),
    ) -> None:
        self.inputs, self.targets = inputs, targets
        ours, theirs = _sources(inputs, missing), [Source(targets, tuple(map(str, targets.data_vars)))]
        self.samples = make_samples(ours, theirs, Window(steps, spin_up=spin_up), every=every)
        self._taken: dict[Period, set[str]] = {}  # what each period was asked for

    def loader(
        self, period: Period, *, batch: int, generator: torch.Generator | None = None, share: tuple[int, int] = (0, 1)
    ) -> Loader:
        """Return the batches of a period: shuffled by a generator, else in order; `share` is that of a `Loader`."""
        chosen = self.samples.part(
            self._part(period, "in order" if generator is None else "shuffled"), scored_only=True
        )
        if generator is None:
            return Loader(chosen, InOrder(len(chosen)), batch, torch.Generator(), share=share)
        return Loader(chosen, Shuffled(len(chosen)), batch, generator, share=share)

    def statistics(self, period: Period) -> Statistics:
        """Return mean and standard deviation of each variable over the places and times of a period.

        What does not vary, such as the elevation of a single place, has a standard deviation of 1.
        """
        mean, std = {}, {}
        for data in (self.inputs, self.targets):
            held = self._part(period, "statistics").select(data)
            for name in map(str, data.data_vars):
                values = held[name].values.astype(np.float64)
                values = values[~np.isnan(values)]
                if not len(values):
                    raise SampleError(f"samples: {name} has no value from {period[0]} to {period[1]}; move the period")
                spread, noise = float(values.std()), ROUNDING * float(np.abs(values).max())
                mean[name], std[name] = float(values.mean()), spread if spread > noise else 1.0
        return mean, std

    def spread(self, name: str, period: Period) -> Tensor:
        """Return the standard deviation over time of a target at each place of the samples, (place,)."""
        held = self._part(period, "statistics").select(self.targets)[name]
        values = held.std("time", skipna=True).values.astype(np.float64)
        return torch.nan_to_num(torch.from_numpy(values).to(torch.float32), nan=0.0)

    @property
    def log(self) -> tuple[str, ...]:
        """What was left out, with counts."""
        return self.samples.log

    def _part(self, period: Period, use: str) -> Part:
        """Return the part of a period; SampleError where training and validation would share steps."""
        part = self._between(period)
        for other, uses in self._taken.items():
            shared = part.has_time & self._between(other).has_time
            if not shared.any():
                continue
            if (shared != (part.has_time | self._between(other).has_time)).any():
                raise SampleError(
                    f"samples: the period {part.name} ({use}) overlaps {other[0]} to {other[1]} "
                    f"({', '.join(sorted(uses))}) in {shared.sum()} steps; training and validation share none: move "
                    f"one, or make other TrainingSamples for it"
                )
            if {use} | uses >= {"in order", "shuffled"}:
                raise SampleError(
                    f"samples: the period {part.name} is both trained on (shuffled) and validated on (in order); give "
                    f"one of them other times, or make other TrainingSamples for it"
                )
        taken = {held: set(uses) for held, uses in self._taken.items()}
        taken.setdefault((period[0], period[1]), set()).add(use)
        self._check_statistics(taken)
        self._taken = taken
        return part

    @staticmethod
    def _check_statistics(taken: dict[Period, set[str]]) -> None:
        """Raise where statistics are of a period that is not trained on, while another is."""
        trained = [held for held, uses in taken.items() if "shuffled" in uses]
        for held, uses in taken.items():
            if trained and "statistics" in uses and held not in trained:
                raise SampleError(
                    f"samples: the statistics are of {held[0]} to {held[1]}, which is not trained on (shuffled), as "
                    f"{trained[0][0]} to {trained[0][1]} is; take them of the training period, or make other "
                    f"TrainingSamples"
                )

    def _between(self, period: Period) -> Part:
        start, end = period
        return between(self.samples.places, self.samples.axis, f"{start} to {end}", start, end)


def _sources(inputs: xr.Dataset, missing: Sequence[str]) -> list[Source]:
    """Return what has to be there, and what may be missing, as sources of their own."""
    names = [str(name) for name in inputs.data_vars]
    if unknown := sorted(set(missing) - set(names)):
        raise SampleError(f"samples: no input {unknown} that may be missing; the inputs are {', '.join(names)}")
    held = [Source(inputs, tuple(name for name in names if name not in missing))] if set(names) - set(missing) else []
    return [*held, Source(inputs, tuple(missing), optional=True, name="missing")] if missing else held
