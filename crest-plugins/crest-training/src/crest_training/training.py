"""train: mini-batches of samples through a component or a coupled graph, resumable at any point."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from math import isnan, nan
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import torch

from crest_core import Component, ForcingError, StoreError, flushed_denormals
from crest_training.batch import Batch, Batches, batches_of
from crest_training.best import BestParameters
from crest_training.checkpoint import FILE, Checkpoint, random_state, restore_random_state
from crest_training.descent import Descent, Optimiser
from crest_training.history import History
from crest_training.logs import EventLog, write_losses
from crest_training.modes import frozen_parts, modes_restored, parts_of
from crest_training.objective import Objective, check_objectives
from crest_training.passes import Passes
from crest_training.precision import TRIES, gate
from crest_training.processes import present_processes
from crest_training.progress import Progress
from crest_training.record import TrainingRecord
from crest_training.validating import validation_loss


def train(
    model: Component,
    loader: Batches,
    objectives: Sequence[Objective],
    *,
    epochs: int,
    optimiser: Optimiser | None = None,
    validation: Batches | None = None,
    validate_every: int = 1,
    patience: int | None = None,
    frozen: Sequence[str] = (),
    segment: int | None = None,
    precision: Literal["float32", "bf16"] = "float32",
    seed: int | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: int | None = None,
    events: bool = False,
    progress: bool | None = None,
) -> TrainingRecord:
    """Train `model` in place on the batches of a loader and leave its best parameters in it.

    Every step of a sample that has targets is scored (sequence to sequence). Kept are the parameters of the epoch with
    the best loss of `validation`, looked at every `validate_every` epochs, or of training where there is none;
    `patience` looks without a better one end the training. `frozen` names components of a graph, or modules, that stay
    as they are. `segment` cuts gradients after so many steps. bf16 is used once a batch (the 1st, 21st, 101st or 501st)
    gives nearly the same loss and gradient in it. Dropout draws from torch's own generator, seeded with `seed` where
    that is given. Of several processes (torchrun) each is given its share of the batches, and the first writes.

    With `folder` losses.csv and a checkpoint are written at the end of each epoch and every `checkpoint_every` batches,
    and event files for TensorBoard with `events`; `resume` goes on from the checkpoint, if there is one, bit for bit.
    """
    check_objectives(model, objectives)
    if epochs < 1 or validate_every < 1:
        raise ForcingError(f"train: epochs {epochs} and validate_every {validate_every} must be 1 or more")
    parts = parts_of(model, frozen)
    facts: dict[str, Any] = {"epochs": epochs, "validate_every": validate_every, "patience": patience or 0}
    facts |= {"frozen": ", ".join(frozen), "segment": segment or 0, "precision": precision}
    facts |= {"seed": "torch's own" if seed is None else seed, "optimiser": str(optimiser or Optimiser())}
    forked = nullcontext() if seed is None else torch.random.fork_rng()
    with flushed_denormals(), modes_restored(model), frozen_parts(parts), forked:
        if seed is not None:
            torch.manual_seed(present_processes().seed(seed))
        descent = Descent(model, optimiser or Optimiser(), epochs, who="train")
        one = _Training(Passes(model, objectives, segment), descent, loader, validation, parts, facts)
        one.folder = None if folder is None else Path(folder)
        one.checkpoint_every = checkpoint_every
        one.begin(resume)
        first = one.passes.processes.is_first
        shown, wanted = progress if first else False, events and first
        try:
            with Progress(epochs, shown, "train") as bar, EventLog(one.folder, wanted, one.history.epoch) as log:
                one.run(bar, log)
        finally:  # an interrupted training leaves the best so far, too
            one.best.restore()
    return one.record()


class _Training:
    """The state of a training and how it moves on."""

    folder: Path | None = None
    checkpoint_every: int | None = None

    def __init__(
        self,
        passes: Passes,
        descent: Descent,
        loader: Batches,
        validation: Batches | None,
        frozen: Sequence[torch.nn.Module],
        facts: dict[str, Any],
    ) -> None:
        self.passes, self.descent, self.loader, self.validation = passes, descent, loader, validation
        self.model, self.frozen, self.facts = passes.model, frozen, facts
        self.history, self.best = History(), BestParameters(passes.model)
        self.notes: list[str] = []
        self.decided = facts["precision"] == "float32"
        self.spent, self.began = 0.0, monotonic()

    def begin(self, resume: bool) -> None:
        """Go on from the checkpoint of the folder, if that is wanted and there is one; all processes from one."""
        self.passes.processes.agree(self.model)
        if self.folder is None or not (self.folder / FILE).exists():
            return
        if not resume:
            raise StoreError(
                f"train: {self.folder / FILE} is of an earlier training; go on with resume=True, or --resume of "
                f"`crest train`, or take another folder"
            )
        self._restore(Checkpoint.load(self.folder))

    def run(self, bar: Progress, log: EventLog) -> None:
        """Train until the last epoch, or until nothing becomes better."""
        while self.history.epoch < self.facts["epochs"] and not self._is_enough():
            self._epoch(bar)
            bar.update(self.history.epoch, self.history.training[-1], self.best.loss)
            log.add(self.history, self.descent.rates(self.history.epoch))
            if self.folder is not None and self.passes.processes.is_first:
                write_losses(self.folder, self.history)
            self._save()

    def record(self) -> TrainingRecord:
        """Return what happened."""
        history = self.history
        return TrainingRecord(
            tuple(history.training),
            tuple(history.validation),
            self.best.epoch,
            self._seconds(),
            dict(self.facts),
            tuple(history.batches),
            tuple(self.notes),
            "weighted mean of the losses of the objectives",
        )

    def _epoch(self, bar: Progress) -> None:
        self._mode()
        length = batches_of(self.loader)
        for batch in self.loader:
            if not self.decided and len(self.history.batches) in TRIES:
                self._decide_precision(batch)
            done = self.history.epoch + (min(self.history.batch / length, 1.0) if length else 0.0)
            self._step(batch, done)
            bar.within(done, self.history.batches[-1], self.best.loss)
            if self.checkpoint_every and self.history.batch % self.checkpoint_every == 0:
                self._save()
        if not self.history.batch:
            raise ForcingError("train: the loader gave no batch; look at its samples, batch size and drop_last")
        number = self.history.epoch + 1
        every = int(self.facts["validate_every"])
        due = self.validation is None or number % every == 0 or number == self.facts["epochs"]
        loss = nan if self.validation is None or not due else validation_loss(self.passes, self.validation)
        self.history.close(loss, self._seconds())
        if due:
            self.best.judge(number, self.history.training[-1] if isnan(loss) else loss)

    def _step(self, batch: Batch, epochs_done: float) -> None:
        self.descent.clear()
        total = 0.0
        for loss in self.passes.losses(batch):
            loss.backward()
            total += float(loss.detach())
        processes = self.passes.processes
        self.history.add(float(processes.total(torch.tensor(total, dtype=torch.float64))))
        processes.sum_gradients(self.descent.parameters)
        self.descent.step(epochs_done)

    def _mode(self) -> None:
        self.model.train()
        for part in self.frozen:
            part.eval()

    def _decide_precision(self, batch: Batch) -> None:
        found, done = gate(self.passes, batch), len(self.history.batches)
        self.passes.reduced = found.passed
        self.decided = found.passed or done == TRIES[-1]
        self.notes.append(found.note(done))
        self._mode()

    def _is_enough(self) -> bool:
        patience = int(self.facts["patience"])
        return 0 < patience <= self.best.waiting

    def _seconds(self) -> float:
        return self.spent + monotonic() - self.began

    def _save(self) -> None:
        if self.folder is None:
            return
        drawn = self.passes.processes.gathered(random_state(self.passes.device))
        if not self.passes.processes.is_first:
            return
        kept, judged = self.best.state()
        parts = {"model": self.model.state_dict(), "best": kept, "optimiser": self.descent.state()}
        parts |= {"loader": self.loader.state()}
        parts |= {_random(number): state for number, state in enumerate(drawn)}
        parts |= {} if self.validation is None else {"validation": self.validation.state()}
        facts = {"settings": self.facts, "history": self.history.state(), "best": judged, "seconds": self._seconds()}
        facts |= {"notes": self.notes, "reduced": self.passes.reduced, "decided": self.decided}
        Checkpoint(parts, facts).save(self.folder)

    def _restore(self, saved: Checkpoint) -> None:
        if self.folder is not None:
            saved.check(self.facts, self.folder)
        self.model.load_state_dict(saved.part("model"))
        self.descent.restore(saved.part("optimiser"))
        self.best.resume(saved.part("best"), saved.facts["best"])
        self.loader.restore(saved.part("loader"))
        if self.validation is not None:
            self.validation.restore(saved.part("validation"))
        self.history.resume(saved.facts["history"])
        self.spent, self.notes = float(saved.facts["seconds"]), list(saved.facts["notes"])
        self.passes.reduced, self.decided = bool(saved.facts["reduced"]), bool(saved.facts["decided"])
        if drawn := saved.part(_random(self.passes.processes.number)):  # else there were fewer processes
            restore_random_state(drawn, self.passes.device)


def _random(number: int) -> str:
    """Return where a checkpoint holds the state of the generators of a process."""
    return f"random-{number}" if number else "random"
