"""Batch and Batches: what training takes of a package that cuts samples; crest-samples has both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from typing import Any, Protocol, Self

import torch
from torch import Tensor


class Batch(Protocol):
    """Tensors of some samples, a sample being a place and a start."""

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """(time, sample, *dims) by the names of the model's inputs; statics (sample, *dims)."""

    @property
    def targets(self) -> Mapping[str, Tensor]:
        """(scored time, sample, *dims), the last steps of the inputs; nan where nothing was observed."""

    @property
    def place(self) -> Tensor:
        """(sample,), the number of each sample's place."""

    @property
    def times(self) -> Any:
        """Dates of the inputs (time, sample)."""

    def on_cells(self) -> Self:
        """Return the batch with a last dim `cell` of size 1, for fields that have the dim cell."""

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on a device."""

    def __len__(self) -> int: ...


class Batches(Protocol):
    """The batches of an epoch each time it is iterated; one that was left in the middle goes on there."""

    def __iter__(self) -> Iterator[Batch]: ...

    def state(self) -> dict[str, Tensor]:
        """Return the place in the epoch and what its order was drawn with, as tensors."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state: the same batches follow, bit for bit."""


def batches_of(loader: Batches) -> int | None:
    """Return the number of batches of an epoch, None where the loader does not tell."""
    return len(loader) if isinstance(loader, Sized) else None
