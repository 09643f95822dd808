"""BlockLoader: batches from data larger than memory, read block by block by a thread that runs ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from crest_samples.batch import Batch
from crest_samples.blocks import plan_blocks
from crest_samples.errors import SampleError
from crest_samples.planning import Plan
from crest_samples.samples import Samples

_SEEDS = 2**62


class BlockLoader(IterableDataset[Batch]):
    """Batches of one epoch each time it is iterated: blocks in random order, the samples of each block shuffled.

    A batch holds samples of one block; the last one of a block may be smaller. While batches of one block are handed
    out the next is read (`ahead` of them): together they stay within about `memory` bytes. `state()` and `restore` go
    on in the middle of a block, bit for bit. `place` and `start` count in the places and times of the plan.
    """

    def __init__(
        self, plan: Plan, batch: int, generator: torch.Generator, *, memory: float = 1e9, ahead: int = 1
    ) -> None:
        if batch < 1 or ahead < 1 or not memory > 0:
            raise SampleError(
                f"blocks: batches of {batch}, {ahead} blocks ahead, {memory} bytes; expected 1 or more of each"
            )
        self.plan, self.batch, self.generator, self.ahead = plan, batch, generator, ahead
        self.blocks = plan_blocks(plan, memory / (1 + ahead))
        self._epoch, self._block, self._cursor = 0, 0, 0
        self._before = generator.get_state()
        self._order: Tensor | None = None  # (block, 2): number and seed

    @property
    def epoch(self) -> int:
        """Number of epochs that are complete."""
        return self._epoch

    def __iter__(self) -> Iterator[Batch]:
        order = self._drawn()
        with self._reading(order[self._block :]) as read:
            for number, seed, samples in read:
                shuffled = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
                while self._cursor * self.batch < len(samples):
                    first = self._cursor * self.batch
                    self._cursor += 1  # before the batch is handed out: a state saved while it is used counts it
                    yield self._placed(samples[shuffled[first : first + self.batch]], number)
                self._block, self._cursor = self._block + 1, 0
                del samples
        self._epoch, self._block, self._order = self._epoch + 1, 0, None

    def state(self) -> dict[str, Tensor]:
        """Return the place in the epoch and the generator as tensors."""
        return {
            "epoch": torch.tensor(self._epoch),
            "block": torch.tensor(self._block),
            "cursor": torch.tensor(self._cursor),
            "blocks": torch.tensor(len(self.blocks)),
            "before": self.generator.get_state() if self._order is None else self._before.clone(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of a loader of the same plan, batch size and memory."""
        if int(state["blocks"]) != len(self.blocks):
            raise SampleError(
                f"blocks: the state is of {int(state['blocks'])} blocks, this loader has {len(self.blocks)}; make it "
                f"of the same sources and window, with the same memory= and ahead="
            )
        self._epoch, self._block, self._cursor = (int(state[name]) for name in ("epoch", "block", "cursor"))
        self.generator.set_state(state["before"])
        self._order = None
        if self._block or self._cursor:
            self._drawn()
        self.generator.set_state(state["generator"])

    def _drawn(self) -> Tensor:
        if self._order is None:
            self._before = self.generator.get_state()
            numbers = torch.randperm(len(self.blocks), generator=self.generator)
            seeds = torch.randint(_SEEDS, (len(self.blocks),), generator=self.generator)
            self._order = torch.stack([numbers, seeds], dim=1)
        return self._order

    @contextmanager
    def _reading(self, order: Tensor) -> Iterator[Iterator[tuple[int, int, Samples]]]:
        """Give the blocks of an order, `ahead` of which are being read or wait."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="crest-samples")
        try:
            yield self._read(order, pool)
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, order: Tensor, pool: ThreadPoolExecutor) -> Iterator[tuple[int, int, Samples]]:
        left = iter(order.tolist())
        waiting: deque[tuple[int, int, Future[Samples]]] = deque()

        def submit(count: int) -> None:
            for number, seed in islice(left, count):
                block = self.blocks[number]
                waiting.append((number, seed, pool.submit(self.plan.read, block.numbers, block.first, block.stop)))

        submit(1)
        while waiting:
            number, seed, future = waiting.popleft()
            samples = future.result()
            del future  # which holds the samples too
            submit(self.ahead - len(waiting))
            yield number, seed, samples
            del samples

    def _placed(self, batch: Batch, number: int) -> Batch:
        """Return the batch with places and starts of the whole plan."""
        block = self.blocks[number]
        place = torch.from_numpy(block.numbers)[batch.place]
        start = batch.start + block.first
        return replace(batch, place=place, start=start, places=self.plan.places, axis=self.plan.axis)
