"""Model folders of what was trained by registered names, so that each component can be handed over alone."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from crest_core import Component, CrestError, Graph, registry
from crest_training.leaving import RECORD
from crest_training.train_file import TrainFile


def write_model_folders(folder: Path, file: TrainFile, model: Component) -> list[Path]:
    """Add a `model.yaml` to the weights of each component of a graph; return the folders.

    `leave` has written the record and the weights. A component that no model folder can describe, such as one that
    reads a file of its own, keeps its weights alone; a warning says why, unless it is frozen.
    """
    if not isinstance(model, Graph) or file.graph is None:
        return []
    facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    written = []
    for name, child in model.components.items():
        left = facts["models"][name]
        target = folder / left["folder"]
        if left["kind"] == "weights":
            try:
                _write(child, target, name, file, facts)
            except CrestError as error:
                if name not in file.frozen:
                    warnings.warn(f"{target} holds weights and no model.yaml: {error}", UserWarning, stacklevel=2)
                continue
        written.append(target)
    return written


def _write(child: Component, target: Path, name: str, file: TrainFile, facts: dict[str, object]) -> None:
    about, section = file.model, (file.graph or {})["components"][name]
    alone = len((file.graph or {})["components"]) == 1
    registry().load("parts", "model-folder")(
        child,
        target,
        use=section["use"],
        settings=section.get("with") or {},
        name=about.name if alone else f"{about.name}-{name.replace('_', '-')}",
        version=about.version,
        summary=about.summary if alone else f"{about.summary}: {name}",
        licence=about.licence,
        citation=about.citation,
        training={
            "data": about.data,
            "period": list(file.training.dates),
            "seed": facts["seed"],
            "skill": facts["skill"],
        },
        overwrite=True,
    )
