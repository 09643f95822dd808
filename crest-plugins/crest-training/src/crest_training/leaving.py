"""What a training leaves behind: model folders, weights of what has no folder, and a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any

from safetensors.torch import save

from crest_core import Component, CrestError, Graph, parameter_hash, registry, write_atomically
from crest_training.record import TrainingRecord
from crest_training.train_file import TrainFile

RECORD = "training.json"
WEIGHTS = "weights.safetensors"


def leave(
    folder: Path,
    file: TrainFile,
    model: Component,
    record: TrainingRecord,
    *,
    seed: int,
    statistics: Mapping[str, Mapping[str, float]],
    scaled: Mapping[str, list[str]],
) -> None:
    """Write the model of each component, and training.json with settings, statistics, losses, versions and hashes.

    A network of the backend torch-lstm becomes a model folder (model.yaml, with card and hash). Other components leave
    their parameters, which the key `weights` of a run file reads. What is there already is left as it is.
    """
    children = model.components if isinstance(model, Graph) else {file.model.name: model}
    if _is_left(folder, file, children, len(record.training)):
        return
    skill = {
        "loss": record.measure,
        "best_epoch": record.best_epoch,
        "training_loss": record.training[record.best_epoch - 1],
    }
    looked = [loss for loss in record.validation if not isnan(loss)]
    skill |= {"validation_loss": min(looked)} if looked else {}
    left = {}
    for name, child in children.items():
        about = file.model.name if len(children) == 1 else f"{file.model.name}-{name.replace('_', '-')}"
        target = folder / (name if isinstance(model, Graph) else "model")
        left[name] = {"folder": target.name, "kind": _write(child, target, about, file, skill, seed)}
        left[name]["parameters_sha256"] = parameter_hash(child)
    facts = {
        "format": "crest-training record 1",
        "file": Path(file.file).name,
        "file_sha256": sha256(Path(file.file).read_bytes()).hexdigest(),
        "keys": file.model_dump(mode="json"),
        "seed": seed,
        "settings": record.settings,
        "statistics": {**statistics, "period": file.training.dates},
        "scaled": scaled,
        "skill": skill,
        "epochs": len(record.training),
        "seconds": round(record.seconds, 1),
        "notes": record.notes,
        "models": left,
        "versions": {name: version(name) for name in ("crest-core", "crest-training", "torch", "numpy", "xarray")},
    }
    write_atomically(folder / RECORD, json.dumps(facts, indent=1).encode())


def _is_left(folder: Path, file: TrainFile, children: Mapping[str, Component], epochs: int) -> bool:
    """Whether the record of a folder is of just these parameters, keys and epochs."""
    try:
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        hashes = {name: one["parameters_sha256"] for name, one in facts["models"].items()}
        told = facts["keys"], facts["epochs"], hashes
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return told == (
        file.model_dump(mode="json"),
        epochs,
        {name: parameter_hash(child) for name, child in children.items()},
    )


def _write(child: Component, target: Path, name: str, file: TrainFile, skill: dict[str, Any], seed: int) -> str:
    """Write one component and return what it became."""
    about = file.model
    try:
        registry().load("parts", "model-folder")(
            child,
            target,
            name=name,
            version=about.version,
            summary=about.summary,
            licence=about.licence,
            citation=about.citation,
            training={"data": about.data, "period": list(file.training.dates), "seed": seed, "skill": skill},
            overwrite=True,
        )
        return "model folder"
    except CrestError as error:
        if "writes components of lstm_component" not in str(error):
            raise
    tensors = {key: value.detach().cpu().contiguous() for key, value in child.state_dict().items()}
    write_atomically(target / WEIGHTS, save(tensors))
    return "weights"
