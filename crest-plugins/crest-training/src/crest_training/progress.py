"""Progress of a training: a bar with losses and remaining time on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """Show epochs: None shows a bar on a terminal only; True adds about ten lines elsewhere.

    >>> with Progress(2, shown=False) as progress:
    ...     progress.update(1, loss=0.5, best=0.5)
    """

    def __init__(self, epochs: int, shown: bool | None, title: str = "fit") -> None:
        self.epochs = epochs
        self.terminal = sys.stderr.isatty()
        self.lines = bool(shown) and not self.terminal
        columns = (
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}, best {task.fields[best]:.4f}"),
            TimeRemainingColumn(),
        )
        hidden = not self.terminal or shown is False
        self.bar = Bar(*columns, console=Console(stderr=True), disable=hidden)
        self.task = self.bar.add_task("", total=epochs, loss=float("nan"), best=float("nan"))
        self.began = monotonic()

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def within(self, epochs_done: float, loss: float, best: float) -> None:
        """Show that a batch is done: a share of an epoch."""
        self.bar.update(self.task, completed=epochs_done, loss=loss, best=best)

    def update(self, epoch: int, loss: float, best: float) -> None:
        """Show that an epoch is done."""
        self.bar.update(self.task, completed=epoch, loss=loss, best=best)
        every = max(1, self.epochs // 10)
        if self.lines and (epoch % every == 0 or epoch in (1, self.epochs)):
            left = (monotonic() - self.began) / epoch * (self.epochs - epoch)
            print(
                f"epoch {epoch:4d} of {self.epochs}  loss {loss:.4f}  best {best:.4f}  {left:.0f} s left",
                flush=True,
            )
