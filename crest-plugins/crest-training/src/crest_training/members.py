"""The folder of a member of an ensemble: one training at a time, and resumed only with what it was begun with."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isclose
from pathlib import Path
from typing import Any

from crest_core import StoreError, write_atomically
from crest_training.checkpoint import FILE as CHECKPOINT
from crest_training.train_file import TrainFile

BEGUN = "begun.json"
_FREE = ("epochs", "patience", "seeds", "folder", "checkpoint_every", "events", "model", "forcing", "observations")

Statistics = Mapping[str, Mapping[str, float]]


def changed_keys(file: TrainFile, kept: Mapping[str, Any]) -> list[str]:
    """Return the keys that make another model than those that were kept; data are told apart by their statistics."""
    now = file.model_dump(mode="json")
    return sorted(key for key in now if key not in _FREE and now[key] != kept.get(key))


def begin(folder: Path, file: TrainFile, statistics: Statistics, *, resume: bool) -> None:
    """Keep what a training begins with; with `resume` StoreError where it was begun with something else."""
    path = folder / BEGUN
    if not resume and (there := [*folder.glob(CHECKPOINT), *folder.glob(f"*/{CHECKPOINT}")]):
        raise StoreError(
            f"train: {there[0]} is of an earlier training; go on with resume=True, or --resume of `crest train`, or "
            f"take another folder"
        )
    if resume and path.exists():
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            kept, before = facts["keys"], facts["statistics"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is damaged ({error!r}); train in another folder") from error
        told = [f"other keys in {file.file}: {', '.join(changed)}"] if (changed := changed_keys(file, kept)) else []
        told += _other(before, statistics)
        if told:
            raise StoreError(
                f"{folder} was begun with other keys or data: {'; '.join(told)}; go on with the same, or train in "
                f"another folder"
            )
        return
    facts = {"format": "crest-training begun 1", "keys": file.model_dump(mode="json"), "statistics": statistics}
    write_atomically(path, json.dumps(facts, indent=1).encode())


def _other(before: Statistics, now: Statistics) -> list[str]:
    """Return in words the first field whose mean or standard deviation differs."""
    for kind, values in now.items():
        for name, value in values.items():
            old = before.get(kind, {}).get(name)
            if old is None or not isclose(old, value, rel_tol=1e-5, abs_tol=1e-12):
                return [f"{kind} of {name} in training was {old}, is {value}"]
    return []


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder of a member; StoreError where another process trains in it. The lock goes with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "w", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}; name another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{folder}: another process trains in it; wait, or take another folder") from error
        for left in folder.rglob(".*.tmp"):  # of a training that was killed while it wrote
            left.unlink()
        yield
