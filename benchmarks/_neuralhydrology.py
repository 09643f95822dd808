"""The process of NeuralHydrology, the only file that imports it: its trainer, loader, model, loss and tester.

  python _neuralhydrology.py FOLDER batches            a JSON object a line on stdin is a command, the answer is a line
  python _neuralhydrology.py FOLDER race SECONDS       trains so long, or goes on; keeps curve.json and state.pt there
FOLDER/task.json holds the configuration, and what `_neuralhydrology_side.py` wrote beside it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from _race import Clock, Curve, median_nse
from neuralhydrology.training.basetrainer import BaseTrainer  # type: ignore[import-not-found]
from neuralhydrology.utils.config import Config  # type: ignore[import-not-found]


def main() -> None:
    """Do what the command line says; what NeuralHydrology prints goes to log.txt."""
    folder, what = Path(sys.argv[1]), sys.argv[2]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    torch.set_flush_denormal(task["flush_denormals"])
    began = perf_counter()
    rates = {int(epoch): rate for epoch, rate in task["config"]["learning_rate"].items()}
    trainer = BaseTrainer(Config({**task["config"], "learning_rate": rates, "run_dir": folder / "runs"}))
    trainer.initialize_training()
    opening = perf_counter() - began
    if what == "batches":
        serve(trainer, answers)
    else:
        race(trainer, folder, task, float(sys.argv[3]), opening)


def serve(trainer: Any, answers: Any) -> None:
    """Answer commands: `weights` sets weights and returns losses of batches in an order; `epoch` trains one."""
    loader = trainer.loader
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {"seconds": 0.0}
        if "weights" in asked:
            _set_weights(trainer, asked["weights"])
            where = {(basin, int(last[0])): number for number, (basin, last) in loader.dataset.lookup_table.items()}
            order = [where[basin, last] for basin, last in asked["order"]]
            trainer.loader = torch.utils.data.DataLoader(
                loader.dataset, batch_size=loader.batch_size, sampler=order, collate_fn=loader.collate_fn
            )
            losses: list[float] = []
            log, trainer.experiment_logger.log_step = trainer.experiment_logger.log_step, _noting(losses)
            trainer._train_epoch(epoch=1)
            trainer.loader, trainer.experiment_logger.log_step = loader, log
            answer["losses"] = losses
            trainer.model.dropout.p = asked["dropout"]  # from now on
        else:
            began = perf_counter()
            trainer._train_epoch(epoch=1)
            answer["seconds"] = perf_counter() - began
            trainer.experiment_logger.summarise()
        print(json.dumps(answer), file=answers, flush=True)


def _noting(losses: list[float]) -> Any:
    """Return what stands for the log of a training, and keeps the losses."""
    return lambda **values: losses.append(values["total_loss"])


def _set_weights(trainer: Any, path: str) -> None:
    """Take over the weights of an LSTM and a linear head."""
    held = torch.load(path, weights_only=True)
    names = {f"lstm.{name}": value for name, value in held["lstm"].items()}
    names |= {f"head.net.0.{name}": value for name, value in held["head"].items()}
    trainer.model.load_state_dict(names)


class Pieces:
    """Hands out the batches of NeuralHydrology's loader, some of an epoch at a time, and notes the time they take."""

    def __init__(self, loader: Any, piece: int, clock: Clock) -> None:
        self.loader, self.piece, self.clock = loader, piece, clock
        self.updates = 0
        self._epoch: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self.loader)

    @property
    def epoch(self) -> int:
        """Number of the epoch that the next batch is of, from 1."""
        return self.updates // len(self.loader) + 1

    def __iter__(self) -> Iterator[Any]:
        """Yield the next batches; after a resumption the rest of an epoch is of a new order."""
        for _ in range(min(self.piece, len(self.loader) - self.updates % len(self.loader))):
            began = perf_counter()
            self._epoch = iter(self.loader) if self._epoch is None else self._epoch
            batch = next(self._epoch)
            self.clock.loading += perf_counter() - began
            self.updates += 1
            if self.updates % len(self.loader) == 0:
                self._epoch = None
            yield batch


def race(trainer: Any, folder: Path, task: dict[str, Any], seconds: float, opening: float) -> None:
    """Train until the clock shows `seconds`, with a look at the validation days after each piece of an epoch."""
    curve = Curve.open(folder / "curve.json", task)
    pieces = Pieces(trainer.loader, task["piece"], Clock())
    trainer.loader, checkpoint = pieces, folder / "state.pt"
    if checkpoint.exists():
        held = torch.load(checkpoint, weights_only=True)
        trainer.model.load_state_dict(held["model"])
        trainer.optimizer.load_state_dict(held["optimiser"])
        torch.set_rng_state(held["random"])
        pieces.updates, pieces.clock = held["updates"], Clock(held["seconds"], held["loading"])
    curve.back_to(pieces.updates)
    clock, tester, parent = pieces.clock, trainer._get_tester(), os.getppid()
    observed = np.load(folder / "observed.npy", allow_pickle=False)
    while clock.seconds < seconds and os.getppid() == parent:  # whose end is ours
        epoch = pieces.epoch
        clock.start()
        for group in trainer.optimizer.param_groups:  # as BaseTrainer.train_and_validate does
            group["lr"] = trainer.cfg.learning_rate[max(one for one in trainer.cfg.learning_rate if one <= epoch)]
        trainer._train_epoch(epoch=epoch)
        trainer.experiment_logger.summarise()
        clock.stop()
        nse = median_nse(_simulated(trainer, tester, task["basins"], observed), observed)
        _save(trainer, pieces, checkpoint)
        curve.add(clock, pieces.updates, epoch, nse)
    (folder / "opening.json").write_text(
        json.dumps({"baseline_opening": opening, "epoch": len(pieces)}), encoding="utf-8"
    )


def _simulated(trainer: Any, tester: Any, basins: list[str], observed: Any) -> Any:
    """Return what NeuralHydrology's own tester makes of the validation days, (time, basin), in our order: it sorts."""
    found = tester.evaluate(epoch=1, save_results=False, metrics=[], model=trainer.model)
    target = trainer.cfg.target_variables[0]
    simulated, seen = (
        np.stack([found[one]["1D"]["xr"][f"{target}_{kind}"].isel(time_step=-1).values for one in basins], axis=-1)
        for kind in ("sim", "obs")
    )
    if seen.shape != observed.shape or not np.allclose(seen, observed, rtol=1e-3, atol=1e-4, equal_nan=True):
        sys.exit("NeuralHydrology scores other basins or days than we do, so that the two cannot be compared")
    return simulated


def _save(trainer: Any, pieces: Pieces, path: Path) -> None:
    state = {"model": trainer.model.state_dict(), "optimiser": trainer.optimizer.state_dict()}
    state |= {"random": torch.get_rng_state(), "updates": pieces.updates}
    state |= {"seconds": pieces.clock.seconds, "loading": pieces.clock.loading}
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


if __name__ == "__main__":
    main()
