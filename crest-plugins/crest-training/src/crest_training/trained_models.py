"""What a training file has left behind, opened again: its models, one for each seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from crest_core import Component, FieldSpec, Graph, StateError, parameter_hash
from crest_training.leaving import RECORD, WEIGHTS
from crest_training.losses import LIKELIHOODS
from crest_training.members import changed_keys
from crest_training.train_file import TrainFile, TrainFileError
from crest_training.workflow import untrained


def trained_models(file: TrainFile, seeds: Sequence[int] = ()) -> list[Component]:
    """Return the trained model of each seed, in evaluation mode; nothing is trained or written.

    StateError where a training is not complete, the file has changed since, or parameters are not those of the record.
    """
    return [_opened(file, seed).eval() for seed in seeds or file.seeds]


def scored_output(file: TrainFile, model: Component, name: str = "") -> tuple[FieldSpec, str | None]:
    """Return the output that is compared with observations, and its variable in them; that of the first objective.

    A likelihood has parameters of a distribution as outputs: give the name of a point output then.
    """
    known = {spec.name: spec for spec in model.outputs}
    points = [one for one in file.objectives if one.loss not in LIKELIHOODS and len(one.levels) <= 1]
    wanted = name or next((one.output for one in points if one.output in known), "")
    if wanted not in known:
        raise TrainFileError(f"{file.file}: no output {wanted!r} to compare; give --output, one of {', '.join(known)}")
    same = [one.variable for one in file.objectives if one.output == wanted]
    return known[wanted], (same or [file.objectives[0].variable])[0]


def _opened(file: TrainFile, seed: int) -> Component:
    folder = file.target / f"seed-{seed}"
    try:
        facts: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        statistics, kept, left = facts["statistics"], facts["keys"], facts["models"]
    except OSError as error:
        raise StateError(f"{folder}: there is no complete training of seed {seed}; run crest train first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{folder / RECORD} is no record of a training ({error!r}); train again") from error
    if changed := changed_keys(file, kept):
        raise StateError(
            f"{folder} was trained with other keys than {file.file} has now: {', '.join(changed)}; train again, or "
            f"evaluate with the file that it was trained with"
        )
    model = untrained(file, seed, statistics["mean"], statistics["std"])
    children = model.components if isinstance(model, Graph) else {file.model.name: model}
    for name, child in children.items():
        _load(child, folder / left[name]["folder"] / WEIGHTS, left[name])
    return model


def _load(child: Component, path: Any, told: dict[str, str]) -> None:
    try:
        child_state = load_file(path)
        if told["kind"] == "model folder":  # whose weights are those of the network inside
            child_state = {f"module.{name}": value for name, value in child_state.items()}
        child.load_state_dict(child_state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise StateError(f"{path} does not hold the parameters of the model: {error}; train again") from error
    if parameter_hash(child) != told["parameters_sha256"]:
        raise StateError(f"{path} holds other parameters than the record tells; train again")
