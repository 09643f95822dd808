"""Passes: batches through a model, scored against the objectives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from crest_core import Component, FieldSpec, ForcingError, Sizes, Tensors
from crest_training.batch import Batch
from crest_training.objective import Objective, weighted
from crest_training.processes import present_processes


class Passes:
    """Runs batches from the model's initial state and scores every step that has targets.

    With `segment` the state is taken off the tape after so many steps, and the loss of each segment is handed out by
    itself: memory is that of one segment, and gradients reach back to its beginning only (Williams and Peng 1990,
    doi:10.1162/neco.1990.2.4.490). Of several processes each runs its share of the batch.
    """

    def __init__(self, model: Component, objectives: Sequence[Objective], segment: int | None = None) -> None:
        if segment is not None and segment < 1:
            raise ForcingError(f"train: segment {segment}, expected 1 or more steps")
        self.model, self.objectives, self.segment = model, tuple(objectives), segment
        self.reduced = False  # run in bfloat16 where torch says that it is safe
        first = next(iter(model.parameters()), torch.zeros(()))
        self.device, self.dtype = first.device, first.dtype
        self.processes = present_processes()
        self._before = max(model.history.values(), default=0)

    def losses(self, batch: Batch) -> Iterator[Tensor]:
        """Yield the loss of each segment; their sum, over all processes, is the loss of the batch.

        A segment, and a process, counts by its share of the observations of each objective.
        """
        batch = self._fitting(batch)
        parted = self.segment is not None or self.processes.count > 1
        counts = {
            one.observed: self.processes.total((~torch.isnan(batch.targets[one.observed])).sum())
            for one in self.objectives
        }
        for outputs, observed in self._segments(batch):
            values = []
            for one in self.objectives:
                value = one.value(outputs, observed[one.observed], batch.place)
                if parted:
                    there = (~torch.isnan(observed[one.observed])).sum()
                    value = value * (there / counts[one.observed].clamp(min=1))
                values.append(value)
            yield weighted(self.objectives, values)

    @torch.no_grad()
    def scores(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Return the loss of each objective and how many observations it was computed from."""
        batch = self._fitting(batch)
        sums = [[torch.zeros(()), torch.zeros(())] for _ in self.objectives]
        for outputs, observed in self._segments(batch):
            for total, one in zip(sums, self.objectives, strict=True):
                count = (~torch.isnan(observed[one.observed])).sum()
                total[0] = total[0] + one.value(outputs, observed[one.observed], batch.place).double() * count
                total[1] = total[1] + count
        return [(loss / count.clamp(min=1), count) for loss, count in sums]

    def outputs(self, batch: Batch) -> Tensors:
        """Return the outputs of all steps of a batch that can be run, (time, sample, *dims)."""
        return self._run(self._fitting(batch), 0, None, None)[0]

    def _segments(self, batch: Batch) -> Iterator[tuple[Tensors, Tensors]]:
        """Yield the scored outputs of each segment that has targets, and these."""
        steps = len(batch.times) - self._before
        scored = {one.observed: len(batch.targets[one.observed]) for one in self.objectives}
        if too_many := [name for name, count in scored.items() if count > steps]:
            raise ForcingError(
                f"train: the target {too_many[0]} has {scored[too_many[0]]} steps, and the model answers {steps}: it "
                f"looks back {self._before} steps; give a spin-up of that many"
            )
        state, length = None, self.segment or steps
        for first in range(0, steps, length):
            stop = min(first + length, steps)
            skipped = all(stop <= steps - count for count in scored.values())
            with torch.set_grad_enabled(torch.is_grad_enabled() and not skipped):
                outputs, state = self._run(batch, first, stop, state)
            state = {name: value.detach() for name, value in state.items()}
            if not skipped:
                yield self._scored(outputs, batch, scored, steps, first, stop)

    def _scored(
        self, outputs: Tensors, batch: Batch, scored: dict[str, int], steps: int, first: int, stop: int
    ) -> tuple[Tensors, Tensors]:
        """Return those steps of outputs and targets in [first, stop) that have targets."""
        kept: Tensors = {}
        observed: Tensors = {}
        for one in self.objectives:
            begin = steps - scored[one.observed]
            observed[one.observed] = batch.targets[one.observed][max(first - begin, 0) : max(stop - begin, 0)]
            kept |= {name: outputs[name][max(begin - first, 0) :] for name in one.outputs}
        return kept, observed

    def _run(self, batch: Batch, first: int, stop: int | None, state: Tensors | None) -> tuple[Tensors, Tensors]:
        """Return outputs and state of some steps, after those that only fill the windows of inputs."""
        begin, end = first + self._before, None if stop is None else stop + self._before
        inputs = {
            spec.name: batch.inputs[spec.name] if spec.static else batch.inputs[spec.name][begin:end]
            for spec in self.model.inputs
        }
        with self._precision():
            if state is None:
                state = self.model.initial_state(self._sizes(batch))
                if self._before:
                    earlier = {name: batch.inputs[name][begin - n : begin] for name, n in self.model.history.items()}
                    state = self.model.prime(state, earlier)
            outputs, state = self.model(state, inputs, batch.times[begin:end])
        return outputs, state

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.reduced else nullcontext()

    def _fitting(self, batch: Batch) -> Batch:
        """Return the batch on the model's device, with a dim cell where its fields have that; ForcingError if not."""
        lacking = [spec.name for spec in self.model.inputs if spec.name not in batch.inputs]
        lacking += [one.observed for one in self.objectives if one.observed not in batch.targets]
        if lacking:
            raise ForcingError(
                f"train: the batches lack {', '.join(sorted(set(lacking)))}; they have the inputs "
                f"{', '.join(batch.inputs)} and the targets {', '.join(batch.targets)}"
            )
        if batch.place.device != self.device and self.device.type != "cpu":
            batch = batch.to(self.device)
        spec = next((spec for spec in self.model.inputs if "cell" in spec.dims), None)
        if spec is not None and batch.inputs[spec.name].dim() == _rank(spec) - 1:
            batch = batch.on_cells()
        for spec in self.model.inputs:
            if (found := batch.inputs[spec.name].dim()) != _rank(spec):
                raise ForcingError(
                    f"train: the input {spec.name} has {found} dims, expected {_rank(spec)}: "
                    f"{'' if spec.static else 'time, '}sample, {', '.join(spec.dims)}"
                )
        return batch

    def _sizes(self, batch: Batch) -> Sizes:
        dims: dict[str, int] = {}
        for spec in self.model.inputs:
            shape = batch.inputs[spec.name].shape
            dims |= zip(spec.dims, shape[len(shape) - len(spec.dims) :], strict=True)
        return Sizes(dims, (len(batch.place),), self.dtype, self.device)


def _rank(spec: FieldSpec) -> int:
    """Return the number of dims of an input in a batch: (time, sample, *dims); a window is cut by the graph."""
    return len(spec.dims) + 2 - spec.static
