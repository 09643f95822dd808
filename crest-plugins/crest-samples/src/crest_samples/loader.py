"""Loader: batches of samples, epoch after epoch, with a state from which it goes on in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from crest_samples.batch import Batch
from crest_samples.errors import SampleError
from crest_samples.orders import Order
from crest_samples.samples import Samples


class Loader:
    """Batches of one epoch each time it is iterated; an iteration that was left goes on where it stopped.

    `state()` is a flat dict of tensors, for the same stores as the state of a run; after `restore` the same batches
    follow, bit for bit, in this epoch and in those after it. A last batch that is smaller is left out with `drop_last`.
    """

    def __init__(
        self, samples: Samples, order: Order, batch: int, generator: torch.Generator, *, drop_last: bool = False
    ) -> None:
        if batch < 1:
            raise SampleError(f"loader: batches of {batch}, expected 1 or more samples")
        self.samples, self.order, self.batch, self.generator = samples, order, batch, generator
        self.drop_last = drop_last
        self._epoch, self._cursor = 0, 0  # epochs that are complete, batches of this one that were handed out
        self._before = generator.get_state()  # of the generator, before this epoch was drawn
        self._numbers: Tensor | None = None

    @property
    def epoch(self) -> int:
        """Number of epochs that are complete."""
        return self._epoch

    def __iter__(self) -> Iterator[Batch]:
        numbers = self._drawn()
        stop = len(numbers) // self.batch if self.drop_last else -(-len(numbers) // self.batch)
        while self._cursor < stop:
            first = self._cursor * self.batch
            self._cursor += 1  # before the batch is handed out: a state saved while it is used counts it
            yield self.samples[numbers[first : first + self.batch]]
        self._epoch, self._cursor, self._numbers = self._epoch + 1, 0, None

    def state(self) -> dict[str, Tensor]:
        """Return the place in the epoch and the generator as tensors."""
        drawn = self._numbers is not None
        return {
            "epoch": torch.tensor(self._epoch),
            "cursor": torch.tensor(self._cursor),
            "samples": torch.tensor(len(self.samples)),
            "before": self._before.clone() if drawn else self.generator.get_state(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of a loader of the same samples, order and batch size."""
        if int(state["samples"]) != len(self.samples):
            raise SampleError(
                f"loader: the state is of {int(state['samples'])} samples, this loader has {len(self.samples)}; make "
                f"it of the same sources, window and masks"
            )
        self._epoch, self._cursor = int(state["epoch"]), int(state["cursor"])
        self.generator.set_state(state["before"])
        self._numbers = None
        if self._cursor:
            self._drawn()
        self.generator.set_state(state["generator"])

    def _drawn(self) -> Tensor:
        if self._numbers is None:
            self._before = self.generator.get_state()
            self._numbers = self.order.draw(self.generator)
        return self._numbers
