"""BlockLoader: batches from data larger than memory, read block by block by a thread that runs ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from crest_samples.batch import Batch
from crest_samples.blocks import plan_blocks
from crest_samples.errors import SampleError
from crest_samples.planning import Plan
from crest_samples.resuming import Fact, check_state, digest_of_plan, generator_at
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
            **{name: fact.value.clone() for name, fact in self._facts.items()},
            "before": self.generator.get_state() if self._order is None else self._before.clone(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of a loader of the same plan, batch size and memory; SampleError changes nothing."""
        check_state(state, self.state(), self._facts, ("epoch", "block", "cursor"), "blocks")
        generator_at(state["generator"], self.generator, "blocks")
        draws = generator_at(state["before"], self.generator, "blocks")
        block, cursor = int(state["block"]), int(state["cursor"])
        most = max(len(one.numbers) * (one.stop - one.first) for one in self.blocks)
        if block > len(self.blocks) or cursor > -(-most // self.batch):
            raise SampleError(
                f"blocks: the state is at block {block} of {len(self.blocks)} and batch {cursor}, beyond the last one; "
                f"it is damaged"
            )
        self._epoch, self._block, self._cursor = int(state["epoch"]), block, cursor
        self._order = self._draw(draws) if block or cursor else None
        self._before = state["before"].clone()
        self.generator.set_state(state["generator"])

    @cached_property
    def _facts(self) -> dict[str, Fact]:
        repair = "make it of the same sources and window, with the same memory= and ahead="
        return {
            "blocks": Fact(torch.tensor(len(self.blocks)), "blocks", repair),
            "batch": Fact(torch.tensor(self.batch), "samples a batch", "give the same batch="),
            "plan": Fact(digest_of_plan(self.plan, self.blocks), "places, times, variables or masks", repair),
        }

    def _drawn(self) -> Tensor:
        if self._order is None:
            self._before = self.generator.get_state()
            self._order = self._draw(self.generator)
        return self._order

    def _draw(self, generator: torch.Generator) -> Tensor:
        """Return the number and the seed of each block, in the order of an epoch."""
        numbers = torch.randperm(len(self.blocks), generator=generator)
        seeds = torch.randint(_SEEDS, (len(self.blocks),), generator=generator)
        return torch.stack([numbers, seeds], dim=1)

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
