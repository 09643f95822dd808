"""Weights in safetensors files, with the fields and scaling they were trained for; nothing in them is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, SafetensorsStore, StoreError, TensorMap, Tensors

if TYPE_CHECKING:
    from crest_torch.component import TorchComponent

_PICKLES = (b"PK", b"\x80")  # files of torch.save are zip archives of pickles, older ones bare pickles


def describe(component: TorchComponent) -> dict[str, Any]:
    """Return what weights depend on, as JSON values: timestep, fields, patterns and scaling."""
    fields = {"input": component.inputs, "output": component.outputs, "state": component.states}
    maps = {"input": component.input_maps, "output": component.output_maps, "state": component.state_maps}
    description = {
        "timestep": component.timestep,
        "fields": {role: {spec.name: _field(spec) for spec in specs} for role, specs in fields.items()},
        "maps": {role: {item.name: _map(item) for item in items} for role, items in maps.items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(description))
    return plain


def check_description(path: str | Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Raise FieldError with every difference between the description in a file and the component's."""
    there, here = dict(_leaves(theirs)), dict(_leaves(ours))
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    if names:
        told = "; ".join(
            f"{name}: {there.get(name, 'absent')!r} in the file, {here.get(name, 'absent')!r} here" for name in names
        )
        raise FieldError(
            f"weights {path} belong to other fields or scaling: {told}; build the component as it was when trained"
        )


def write_weights(path: str | Path, weights: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Write a module's state_dict atomically, with the description in the file's metadata."""
    odd = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if odd:
        raise StoreError(f"weights {path}: safetensors holds tensors only, not {odd}; keep them out of the state_dict")
    SafetensorsStore(path).save(dict(weights), {"kind": "weights", **description})


def read_weights(path: str | Path) -> tuple[Tensors, dict[str, Any] | None]:
    """Return the tensors of a safetensors file and its description, None where another program wrote it."""
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"weights {path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = json.loads(metadata["crest"]) if "crest" in metadata else None
    except (SafetensorError, ValueError) as error:
        raise StoreError(f"weights {path} cannot be read: {_reason(path, error)}") from error
    if description is not None and description.pop("kind", None) != "weights":
        raise StoreError(f"weights {path}: this file of CREST holds a restart, not weights")
    return tensors, description


def load_into(module: nn.Module, path: str | Path, weights: Tensors) -> None:
    """Copy weights into a module if names, shapes and kinds agree and all are finite; else change nothing."""
    own = module.state_dict()
    missing, unknown = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    if missing or unknown:
        raise StoreError(
            f"weights {path} do not fit {type(module).__name__}: missing {missing}, unknown {unknown}; "
            f"expected the names of its state_dict"
        )
    other = [
        f"{name} expected {tuple(own[name].shape)} {own[name].dtype}, got {tuple(value.shape)} {value.dtype}"
        for name, value in weights.items()
        if value.shape != own[name].shape or value.is_floating_point() != own[name].is_floating_point()
    ]
    if other:
        raise StoreError(f"weights {path} do not fit {type(module).__name__}: {'; '.join(other)}")
    broken = [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise StoreError(f"weights {path}: {broken} hold nan or infinity; the training that wrote them diverged")
    module.load_state_dict(weights)


def _field(spec: FieldSpec) -> dict[str, Any]:
    """Return the declaration without bounds and doc, which change no value."""
    names = ("units", "standard_name", "dims", "cell_methods", "vertical", "window", "static", "positive")
    return {name: getattr(spec, name) for name in names}


def _map(item: TensorMap) -> dict[str, Any]:
    scale = item.scale
    scaling = {name: [scale.mean[name], scale.std[name]] for name in item.fields} if scale else {}
    return {"fields": list(item.fields), "pattern": item.pattern, "mean and std": scaling}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and value of everything in nested mappings."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _reason(path: Path, error: Exception) -> str:
    with open(path, "rb") as file:
        start = file.read(2)
    if any(start.startswith(magic) for magic in _PICKLES):
        return (
            "it looks like a pickle of torch.save, which can run code and is never loaded; its author can write "
            "safetensors.torch.save_file(module.state_dict(), path)"
        )
    return f"it is no safetensors file, or damaged ({error})"
