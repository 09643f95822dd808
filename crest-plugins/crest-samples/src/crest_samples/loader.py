"""Loader: batches of samples, epoch after epoch, with a state from which it goes on in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import torch
from torch import Tensor

from crest_samples.batch import Batch
from crest_samples.errors import SampleError
from crest_samples.orders import Order
from crest_samples.resuming import Fact, check_state, digest_of_order, digest_of_samples, generator_at
from crest_samples.samples import Samples


class Loader:
    """Batches of one epoch each time it is iterated; an iteration that was left goes on where it stopped.

    `state()` is a flat dict of tensors, for the same stores as the state of a run; after `restore` the same batches
    follow, bit for bit, in this epoch and in those after it. A state tells which places, times, starts, order and batch
    size it is of, and a loader of others refuses it. A last batch that is smaller is left out with `drop_last`.

    Of several processes each takes its `share` (number, of how many) of every batch, and all have one state. Where a
    batch has fewer samples than there are processes, those without one are handed a sample without targets.
    """

    def __init__(
        self,
        samples: Samples,
        order: Order,
        batch: int,
        generator: torch.Generator,
        *,
        drop_last: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if batch < 1:
            raise SampleError(f"loader: batches of {batch}, expected 1 or more samples")
        if order.samples != len(samples):
            raise SampleError(
                f"loader: the order is of {order.samples} samples, there are {len(samples)}; make it of all, or "
                f"take fewer first: samples.part(part), samples.subset(kept, reason)"
            )
        if not 0 <= share[0] < share[1]:
            raise SampleError(f"loader: share {share}; expected (number of the process, from 0, how many there are)")
        self.samples, self.order, self.batch, self.generator = samples, order, batch, generator
        self.drop_last, self.share = drop_last, share
        self._epoch, self._cursor = 0, 0  # epochs that are complete, batches of this one that were handed out
        self._before = generator.get_state()  # of the generator, before this epoch was drawn
        self._numbers: Tensor | None = None

    @property
    def epoch(self) -> int:
        """Number of epochs that are complete."""
        return self._epoch

    def __iter__(self) -> Iterator[Batch]:
        numbers = self._drawn()
        while self._cursor < self._batches(numbers):
            first = self._cursor * self.batch
            self._cursor += 1  # before the batch is handed out: a state saved while it is used counts it
            yield self._shared(numbers[first : first + self.batch])
        self._epoch, self._cursor, self._numbers = self._epoch + 1, 0, None

    def __len__(self) -> int:
        """Return the number of batches of the present epoch, or of the next one; nothing is drawn for it."""
        if self._numbers is not None:
            return self._batches(self._numbers)
        draws = torch.Generator()
        draws.set_state(self.generator.get_state())
        return self._batches(self.order.draw(draws))

    def state(self) -> dict[str, Tensor]:
        """Return the place in the epoch and the generator as tensors."""
        drawn = self._numbers is not None
        return {
            "epoch": torch.tensor(self._epoch),
            "cursor": torch.tensor(self._cursor),
            **{name: fact.value.clone() for name, fact in self._facts.items()},
            "before": self._before.clone() if drawn else self.generator.get_state(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of a loader of the same samples, order and batch size; SampleError changes nothing."""
        check_state(state, self.state(), self._facts, ("epoch", "cursor"), "loader")
        generator_at(state["generator"], self.generator, "loader")
        draws = generator_at(state["before"], self.generator, "loader")
        cursor, numbers = int(state["cursor"]), None
        if cursor:
            numbers = self._checked(self.order.draw(draws))
            if cursor > self._batches(numbers):
                raise SampleError(
                    f"loader: the state has cursor {cursor}, an epoch has {self._batches(numbers)} batches; it is "
                    f"damaged"
                )
        self._epoch, self._cursor, self._numbers = int(state["epoch"]), cursor, numbers
        self._before = state["before"].clone()
        self.generator.set_state(state["generator"])

    @cached_property
    def _facts(self) -> dict[str, Fact]:
        sources = "make it of the same sources, window, masks and part"
        order = digest_of_order(self.order, self.drop_last)
        return {
            "samples": Fact(torch.tensor(len(self.samples)), "samples", sources),
            "batch": Fact(torch.tensor(self.batch), "samples a batch", "give the same batch="),
            "plan": Fact(digest_of_samples(self.samples), "places, times, starts or variables", sources),
            "order": Fact(order, "draws", "give the same order, of the same strata and weights, and drop_last="),
        }

    def _shared(self, numbers: Tensor) -> Batch:
        """Return the share of this process of the samples of a batch."""
        number, processes = self.share
        own = numbers[number::processes]
        return self.samples[own] if len(own) else self.samples[numbers[:1]].unobserved()

    def _batches(self, numbers: Tensor) -> int:
        """Return the number of batches of an epoch."""
        return len(numbers) // self.batch if self.drop_last else -(-len(numbers) // self.batch)

    def _drawn(self) -> Tensor:
        if self._numbers is None:
            self._before = self.generator.get_state()
            self._numbers = self._checked(self.order.draw(self.generator))
        return self._numbers

    def _checked(self, numbers: Tensor) -> Tensor:
        """Return the numbers that an order drew; SampleError where no samples have them."""
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(self.samples):
            raise SampleError(
                f"loader: the order drew numbers from {int(numbers.min())} to {int(numbers.max())}, expected 0 to "
                f"{len(self.samples) - 1}; its draw() has to return numbers of samples"
            )
        return numbers
