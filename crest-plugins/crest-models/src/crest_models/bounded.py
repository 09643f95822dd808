"""Bounded: torch makes no more numbers than a share of what a weights file holds while a component is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from crest_models.errors import ModelError

_TIMES = 20  # tensors that are drawn from, cast and copied while a component is built
_FREE = 4_000_000  # tables and start values that no weights file holds


class Bounded(TorchDispatchMode):
    """Refuses to make tensors for settings that ask for far more numbers than the weights file holds.

    What a component allocates without torch is not seen.
    """

    def __init__(self, stored: int) -> None:
        super().__init__()
        self.stored = stored
        self.left = _TIMES * stored + _FREE

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Count the sizes that an operator is asked for, before it takes memory."""
        self.left -= sum(_asked(args))
        if self.left < 0:
            raise ModelError(
                f"the settings ask for far more numbers than the {self.stored} that the weights file holds; it is made "
                f"up, or of other settings"
            )
        return func(*args, **(kwargs or {}))


def _asked(args: Sequence[Any]) -> Iterator[int]:
    """Yield the numbers that shapes (lists of integers) and lengths (integers) among the arguments stand for."""
    for one in args:
        if isinstance(one, list | tuple) and one and all(type(size) is int for size in one):
            yield abs(prod(one))
        elif type(one) is int:
            yield abs(one)
