"""save_model: write a trained component as a model folder that anybody can load without its code."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from crest_core import Component, FieldSpec, Standardize, registry, write_atomically
from crest_models.errors import ModelError
from crest_models.field_keys import field_keys, plain
from crest_models.loading import load_model
from crest_models.reading import MODEL_FILE
from crest_models.registered_saving import registered_keys

_WEIGHTS = "weights.safetensors"


def save_model(
    component: Component,
    folder: str | Path,
    *,
    name: str,
    version: str,
    summary: str,
    licence: str,
    citation: str,
    training: Mapping[str, Any],
    description: str = "",
    use: str = "",
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write `model.yaml` and the weights of a component; return the folder.

    `use` is the registered name of the component, and `settings` the plain arguments that it was built with: whoever
    loads the folder needs its package. An LSTM of the backend "torch-lstm" travels without: leave both out.
    `training` has the keys data, period and, where there are, seed and skill. The folder is loaded once from a
    temporary place before anything is written; ModelError says what is wrong with it.
    """
    folder = Path(folder)
    if (folder / MODEL_FILE).exists() and not overwrite:
        raise ModelError(f"{folder / MODEL_FILE} exists; give another folder, or overwrite=True")
    about = {"name": name, "version": version, "summary": summary} | (
        {"description": description} if description else {}
    )
    origin = {"training": plain(training), "licence": licence, "citation": citation}
    with tempfile.TemporaryDirectory(prefix="crest-model-") as temporary:
        trial = Path(temporary)
        weights = trial / _WEIGHTS
        architecture = registered_keys(component, use, settings or {}, weights) if use else _network(component, weights)
        keys = {"crest_model": 1, **about, **architecture, **origin}
        text = _yaml(keys)
        (trial / MODEL_FILE).write_text(text, encoding="utf-8")
        try:
            load_model(trial)
        except ModelError as error:
            raise ModelError(f"the model is not written: {str(error).replace(str(trial), str(folder))}") from error
        for file in (_WEIGHTS, MODEL_FILE):
            write_atomically(folder / file, (trial / file).read_bytes())
    return folder


def _yaml(keys: Mapping[str, Any]) -> str:
    try:
        return yaml.safe_dump(dict(keys), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"the model is not written: {reason}; settings and training hold numbers, texts, lists and mappings"
        ) from error


def _network(component: Component, weights: Path) -> dict[str, Any]:
    """Write the weights; return the keys that rebuild the component, from its fields and the shapes of its tensors."""
    wrapper = registry().load("backends", "torch")
    memory = {name: value.shape for name, value in component.state_dict().items() if ".weight_hh_l" in name}
    if not isinstance(component, wrapper) or set(memory) != {f"module.lstm.weight_hh_l{i}" for i in range(len(memory))}:
        raise ModelError(
            f"save_model writes components of lstm_component (backend torch-lstm), got {type(component).__name__}; "
            f"others leave as ONNX (crest_onnx.export_onnx) or .keras, with a model.yaml written by hand, or by the "
            f"registered name of their package (use=)"
        )
    component.save_weights(weights)
    prefix = component.states[0].dims[0].removesuffix("layer")
    own = {f"{prefix}layer", f"{prefix}hidden"}
    dropout = next((layer.p for layer in component.modules() if isinstance(layer, nn.Dropout)), 0.0)
    scale = component.input_maps[0].scale
    return {
        "backend": "torch-lstm",
        "options": {
            "hidden": next(iter(memory.values()))[1],
            "layers": len(memory),
            "dropout": dropout,
            "prefix": prefix,
        },
        "weights": {"file": _WEIGHTS, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()},
        "timestep": component.timestep,
        "inputs": [field_keys(spec) for spec in component.inputs],
        "outputs": [field_keys(spec) for spec in component.outputs],
        "dim_sizes": {dim: size for dim, size in component.dim_sizes.items() if dim not in own},
        **({"layers": plain(component.layers)} if component.layers else {}),
        "scaling": _scaling(scale, (*component.inputs, *component.outputs)),
    }


def _scaling(scale: Standardize, specs: Sequence[FieldSpec]) -> dict[str, Any]:
    return {
        spec.name: {"mean": float(scale.mean[spec.name]), "std": float(scale.std[spec.name]), "units": spec.units}
        for spec in specs
    }
