"""CyclingArchive: what `crest run` needs of an archive beyond what `simulate` needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from inspect import isfunction
from types import TracebackType
from typing import Any, Protocol, Self

import xarray as xr

from crest_core import Archive, FieldSpec, Tensors, registry
from crest_run.errors import RunFileError

ICECHUNK = "icechunk"  # as crest-store registers it


class CyclingArchive(Archive, Protocol):
    """An archive that numbers its cycles, keeps restarts of some, and goes on from these, in place or in a branch.

    Its class is registered as an archive, and is called with the path and, by keyword, `history` (streams by name, as
    the run file describes them, or None), `keep`, `keep_every` and `branch`; a reader gives path and `branch` only.
    Within `with`, it alone writes.
    """

    def __enter__(self) -> Self:
        """Take the run, for this process alone."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Any:
        """Leave the run to other processes."""

    def load(self, cycle: int | None = None) -> tuple[Tensors, dict[str, Any]]:
        """Return the state at the end of a cycle and its attributes; of the one to go on from by default."""

    def open(self, stream: str | None = None) -> xr.Dataset:
        """Return a stream of the history that is committed; the first by default."""

    def streams(self) -> list[str]:
        """Return the names of the history streams."""

    def restarts(self) -> list[int]:
        """Return the cycles that a run can go on from, in order; none where nothing is committed."""

    def back_to(self, cycle: int) -> None:
        """Go on from the end of a cycle: the next commit takes the place of all that came after it."""

    def branch_from(self, cycle: int, name: str) -> None:
        """Make a branch that ends with a cycle."""

    def check(self, outputs: Sequence[FieldSpec], places: xr.Dataset, step: timedelta | None = None) -> None:
        """Raise a CrestError, before a run, where the streams do not fit what it gives."""


def archive_class(name: str) -> Any:
    """Return a registered archive; RunFileError where it has not all that a CyclingArchive has."""
    found = registry().load("archives", name)
    own = [*vars(Archive).items(), *vars(CyclingArchive).items()]
    needed = {key for key, one in own if isfunction(one) and not key.startswith("_")} | {"__enter__", "__exit__"}
    if lacking := sorted(needed - {*dir(found)}):
        raise RunFileError(
            f"archive {name!r} lacks {', '.join(lacking)}, which crest run needs to go on from cycles; pass it to "
            f"simulate(archive=) in Python, or use {ICECHUNK} of crest-store"
        )
    return found
