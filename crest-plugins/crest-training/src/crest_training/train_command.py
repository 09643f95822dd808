"""The command `crest train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crest_core import read_plain_yaml
from crest_training.train_file import TrainFileError, load_train_file
from crest_training.workflow import Trained, run_training


def train(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Training file (YAML).")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in its folder.")] = False,
    seed: Annotated[list[int] | None, typer.Option(metavar="N", help="Train this seed; may be repeated.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Overrule a key of the file; may be repeated."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Train a network, a component or a coupled graph on samples, and write models that can be run.

    The file says what is trained (graph, as in run files, or network), on which data (forcing, observations, samples),
    on which period (training, validation), towards what (objectives), how (epochs, optimiser, patience, precision), for
    which seeds and where to (folder, model). Each seed gets the folder seed-N: checkpoint and losses.csv while it
    trains, a model folder of each component at the end. Killed, it goes on with --resume, with the same losses to the
    last bit.

    \b
    crest train train.yaml
    crest train train.yaml --resume
    crest train train.yaml --seed 1 --seed 2
    crest train train.yaml --set epochs=2 --set optimiser.network_rate=0.01 --set folder=trial

    A small one to begin with, on data that come with a package: examples/training/fulda.yaml. All keys:
    docs/how-to/train.md.
    """
    content = load_train_file(file, dict(_change(text) for text in change or ()))
    trained = run_training(content, seeds=tuple(seed or ()), resume=resume, progress=False if quiet else True)
    if not quiet:
        for one in trained:
            print(_told(one))


def _told(one: Trained) -> str:
    """Return folder, losses, notes and model folders of a member."""
    record = one.record
    looked = [loss for loss in record.validation if loss == loss]
    best = f"validation loss {min(looked):.4f}" if looked else f"training loss {min(record.training):.4f}"
    lines = [f"{one.folder}: {best} in epoch {record.best_epoch} of {len(record.training)}, {record.seconds:.0f} s"]
    folders = [f"model folder {path.parent}: `crest add` takes it" for path in sorted(one.folder.glob("*/model.yaml"))]
    return "\n  ".join([*lines, *record.notes, *folders])


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise TrainFileError(f"--set {text}: expected KEY=VALUE, as optimiser.network_rate=0.01")
    return key, plain_value(key, value)


def plain_value(key: str, text: str) -> Any:
    """Return a value of the command line as YAML reads it: a number, a word, a list."""
    plain, _ = read_plain_yaml(
        f"--set {key}",
        text.encode(),
        error=TrainFileError,
        where=lambda lines, place: f"--set {key}",
        expected="a value",
    )
    return plain
