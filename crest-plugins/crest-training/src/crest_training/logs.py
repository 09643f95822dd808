"""Logs of a training: a table of losses, and event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from types import TracebackType
from typing import Any

from crest_core import StoreError, write_atomically
from crest_training.history import History

TABLE = "losses.csv"
EVENTS = "events"


def write_losses(folder: Path, history: History) -> None:
    """Write losses.csv: a line for each epoch, all of them anew, so that an interruption tears nothing."""
    lines = ["epoch,training_loss,validation_loss,seconds"]
    rows = zip(history.training, history.validation, history.seconds, strict=True)
    for epoch, (training, validation, seconds) in enumerate(rows, start=1):
        looked = "" if isnan(validation) else repr(validation)
        lines.append(f"{epoch},{training!r},{looked},{seconds:.2f}")
    write_atomically(folder / TABLE, "\n".join([*lines, ""]).encode())


class EventLog:
    """Event files of TensorBoard in the folder `events`, written by tensorboardX; nothing where they are not wanted.

    After an interruption the epochs from `epoch` on are written again, and TensorBoard shows them once.
    """

    def __init__(self, folder: Path | None, wanted: bool, epoch: int) -> None:
        self._writer: Any = None
        if not wanted:
            return
        if folder is None:
            raise StoreError("train: event files need a folder; give folder=, or leave out events")
        try:
            from tensorboardX import SummaryWriter  # type: ignore[import-untyped]
        except ImportError as error:
            raise StoreError("train: event files need tensorboardX: pip install tensorboardX") from error
        self._writer = SummaryWriter(str(folder / EVENTS), purge_step=epoch + 1)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, history: History, rates: Mapping[str, float]) -> None:
        """Write the losses of the last epoch and the learning rates after it."""
        if self._writer is None:
            return
        values = {"loss/training": history.training[-1], "loss/validation": history.validation[-1]}
        values |= {f"rate/{name}": rate for name, rate in rates.items()}
        for name, value in values.items():
            if not isnan(value):
                self._writer.add_scalar(name, value, history.epoch)
        self._writer.flush()
