"""Keras 3 models in CREST: models and .keras files as components, under Keras's torch and JAX backends."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "archive": ("MAX_BYTES", "load_keras_file"),
    "component": ("keras_component",),
    "lstm": ("keras_lstm_component",),
    "module": ("KerasModule",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
