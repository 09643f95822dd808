"""registered_keys: a component of a package as the keys of `model.yaml` and a file of all it keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from crest_core import Component, registry
from crest_models.errors import ModelError
from crest_models.field_keys import field_keys, plain
from crest_models.registered import registered_class
from crest_models.saved_model import SavedModel
from crest_models.structure import structure_hash

_CAST = {"float32", "float64"}


def registered_keys(component: Component, use: str, settings: Mapping[str, Any], weights: Path) -> dict[str, Any]:
    """Write all parameters and buffers; return the keys that rebuild the component from its name and settings.

    `use` is a registered class, or a model folder that was made from one: its settings are taken then.
    """
    name, chosen = _origin(use, settings)
    entry, target = registered_class(name)
    if type(component) is not target:
        raise ModelError(f"{name!r} is {target.__qualname__}, and the component a {type(component).__name__}")
    state = {key: value.detach().cpu().contiguous().clone() for key, value in component.state_dict().items()}
    content = save(state)
    weights.write_bytes(content)
    kinds = {str(value.dtype).removeprefix("torch.") for value in state.values() if value.is_floating_point()}
    dtype = {"dtype": kinds.pop()} if len(kinds) == 1 and kinds <= _CAST else {}
    about = {"name": name, "package": entry.distribution, "version": entry.version, **dtype}
    return {
        "component": {**about, "structure": structure_hash(component), "settings": plain(chosen)},
        "weights": {"file": weights.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
        "timestep": component.timestep,
        "inputs": [field_keys(spec) for spec in component.inputs],
        "outputs": [field_keys(spec) for spec in component.outputs],
    }


def _origin(use: str, settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return name and settings of the class behind a name."""
    known = {entry.name for entry in registry().of_kind("components")}
    target = registry().load("components", use) if use in known else None
    if not isinstance(target, SavedModel):
        return use, settings
    section = target.folder().keys.component
    if section is None:
        raise ModelError(f"{use!r} is a model folder with a network of its own; save it without `use`")
    return section.name, section.settings
