"""Orders: which samples an epoch takes, and in what order; what is drawn comes from a generator that is handed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Sampler

from crest_samples.errors import SampleError


class Order(Protocol):
    """How the samples of an epoch are drawn: by the generator alone, whatever was drawn before."""

    @property
    def samples(self) -> int:
        """Number of the samples that it draws from, all those of the loader."""

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return the numbers of the samples of one epoch."""


@dataclass(frozen=True)
class InOrder:
    """Every sample once, first to last."""

    count: int

    @property
    def samples(self) -> int:
        """Number of samples that it draws from."""
        return self.count

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return 0, 1, ..., count - 1; nothing is drawn."""
        return torch.arange(self.count)


@dataclass(frozen=True)
class Shuffled:
    """Every sample once, in random order.

    >>> Shuffled(4).draw(torch.Generator().manual_seed(1)).sort().values.tolist()
    [0, 1, 2, 3]
    """

    count: int

    @property
    def samples(self) -> int:
        """Number of samples that it draws from."""
        return self.count

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return a permutation."""
        return torch.randperm(self.count, generator=generator)


@dataclass(frozen=True, eq=False)
class Stratified:
    """`count` samples an epoch, as many of each stratum (or by `weights`, one a stratum), in random order.

    `strata` numbers the stratum of each sample (a land cover, a season, a range of values: `range_strata`); below 0
    it is never drawn. Within a stratum none is drawn again before all were.

    >>> order = Stratified(torch.tensor([0, 0, 0, 0, 1]), 4)
    >>> sorted(order.strata[order.draw(torch.Generator().manual_seed(1))].tolist())
    [0, 0, 1, 1]
    """

    strata: Tensor
    count: int
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        held = torch.unique(self.strata[self.strata >= 0])
        weights = self.weights if self.weights is not None else (1.0,) * len(held)
        fits = len(weights) == len(held) and all(0.0 <= weight < float("inf") for weight in weights)
        if self.count < 1 or not len(held) or not fits or sum(weights) <= 0.0:
            raise SampleError(
                f"stratified: {self.count} samples of the strata {held.tolist()} by the weights {weights}; expected 1 "
                f"or more samples, and a weight of 0 or more for each stratum, not all 0"
            )

    @property
    def samples(self) -> int:
        """Number of samples that it draws from."""
        return len(self.strata)

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return the numbers of an epoch."""
        members = [torch.nonzero(self.strata == one)[:, 0] for one in torch.unique(self.strata[self.strata >= 0])]
        drawn = [_of(held, quota, generator) for held, quota in zip(members, self._quotas(len(members)), strict=True)]
        numbers = torch.cat(drawn)
        return numbers[torch.randperm(len(numbers), generator=generator)]

    def _quotas(self, strata: int) -> list[int]:
        """Return how many samples each stratum gives: whole numbers by largest remainder, which sum to the count."""
        weights = torch.tensor(self.weights or (1.0,) * strata, dtype=torch.float64)
        exact = weights / weights.sum() * self.count
        quotas = exact.floor()
        rest = self.count - int(quotas.sum())
        quotas[torch.argsort(exact - quotas, descending=True, stable=True)[:rest]] += 1
        return [int(quota) for quota in quotas]


def range_strata(values: Tensor, bins: int) -> Tensor:
    """Return the stratum of each sample by its value: `bins` equally wide ranges, -1 where it is nan.

    With `Stratified` this draws rare floods and droughts as often as what is common.

    >>> range_strata(torch.tensor([0.0, 0.1, 10.0, float("nan")]), 2).tolist()
    [0, 0, 1, -1]
    """
    present = ~torch.isnan(values)
    if bins < 1 or not bool(present.any()):
        raise SampleError(f"range_strata: {bins} bins of {int(present.sum())} values; expected 1 or more of both")
    low, high = values[present].min(), values[present].max()
    scaled = (values - low) / (high - low).clamp(min=torch.finfo(values.dtype).tiny) * bins
    return torch.where(present, scaled.nan_to_num(0.0).floor().clamp(0, bins - 1), -1.0).to(torch.int64)


class TorchOrder(Sampler[int]):
    """An order as a sampler of torch's DataLoader; each epoch is drawn anew from the generator."""

    def __init__(self, order: Order, count: int, generator: torch.Generator) -> None:
        self.order, self.count, self.generator = order, count, generator

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(self.order.draw(self.generator).tolist())


def _of(members: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` of the members, each of them once before any comes again."""
    rounds = -(-count // len(members))
    turns = [members[torch.randperm(len(members), generator=generator)] for _ in range(rounds)]
    return torch.cat([*turns, members[:0]])[:count]
