"""The command `crest tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crest_training.train_command import plain_value
from crest_training.train_file import TrainFileError
from crest_training.tuning import tune as tune_file


def tune(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Training file (YAML).")],
    search: Annotated[
        list[str], typer.Option(metavar="KEY=RANGE", help="LOW:HIGH, LOW:HIGH:log or A,B,C; may be repeated.")
    ],
    seed: Annotated[int, typer.Option(metavar="N", help="Of the values that are proposed.")],
    trials: Annotated[int, typer.Option(metavar="N", help="Trainings in all, those of earlier calls too.")] = 20,
) -> None:
    """Find values of keys of a training file that give the best validation loss.

    Called again with more trials it goes on. The test period plays no part: what is found here is found on validation.

    \b
    crest tune train.yaml --search optimiser.network_rate=0.0001:0.01:log --search network.hidden=16,64 --seed 1
    crest tune train.yaml --search optimiser.network_rate=0.0001:0.01:log --search network.hidden=16,64 --seed 1
      --trials 40
    """
    found = tune_file(file, dict(_range(text) for text in search), trials=trials, seed=seed)
    print(f"validation loss {found.loss:.4f}, the best of {found.trials}, with")
    print("\n".join(f"  {key}: {value}" for key, value in found.values.items()))
    print(f"next: crest train {file} {' '.join(f'--set {key}={value}' for key, value in found.values.items())}")


def _range(text: str) -> tuple[str, dict[str, Any]]:
    """Return key and range of a text: "rate=0.001:0.1:log", "hidden=16,64"."""
    key, _, values = text.partition("=")
    if key and "," in values:
        return key, {"choices": [plain_value(key, one) for one in values.split(",")]}
    parts = values.split(":")
    if not key or len(parts) not in (2, 3) or parts[2:] not in ([], ["log"]):
        raise TrainFileError(f"--search {text}: expected KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C")
    low, high = (plain_value(key, part) for part in parts[:2])
    return key, {"low": low, "high": high, "log": len(parts) == 3}
