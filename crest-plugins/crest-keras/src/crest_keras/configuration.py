"""Keras's configuration of a model, as plain values: without its optimizer, in another number type, as a hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any

REAL = ("float16", "bfloat16", "float32", "float64")


def without_compiling(config: Any) -> Any:
    """Return a configuration without optimizers, losses and metrics."""
    if isinstance(config, dict):
        return {key: without_compiling(value) for key, value in config.items() if key != "compile_config"}
    return [without_compiling(value) for value in config] if isinstance(config, list | tuple) else config


def in_precision(config: Any, kind: str) -> Any:
    """Return a configuration in which all layers compute in one number type, "float32" or "float64"."""
    if isinstance(config, list | tuple):
        return [in_precision(value, kind) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": kind}, "registered_name": None}
    changed = {}
    for key, value in config.items():
        policy = isinstance(value, str) and (value in REAL or value.startswith("mixed_"))
        changed[key] = kind if key == "dtype" and policy else in_precision(value, kind)
    return changed


def hidden_memory(config: Any) -> list[str]:
    """Return the names of recurrent layers that keep their state inside (stateful=True)."""
    if isinstance(config, dict):
        own = [str(config.get("name", "a layer"))] if config.get("stateful") is True else []
        return own + [name for value in config.values() for name in hidden_memory(value)]
    return [name for value in config for name in hidden_memory(value)] if isinstance(config, list | tuple) else []


def config_hash(config: Any) -> str:
    """Return the start of the sha256 of a configuration, without the addresses of shared objects."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items() if key != "shared_object_id"}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    return hashlib.sha256(json.dumps(plain(config), sort_keys=True, default=str).encode()).hexdigest()[:16]
