"""Progress: a bar on a terminal while many files are read, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
_MANY = 5  # fewer files are read before a bar could be read


def shown(items: Sequence[Item], text: str) -> Iterator[Item]:
    """Yield the items, with a bar where they are many and standard error is a terminal.

    >>> list(shown([1, 2], "read"))
    [1, 2]
    """
    if len(items) < _MANY or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description=text, console=Console(stderr=True), transient=True)
