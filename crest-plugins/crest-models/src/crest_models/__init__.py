"""Models without code: a folder with `model.yaml` and one weights file becomes a component; nothing in it executes."""

from importlib import import_module
from typing import Any

_HOME = {
    "ModelError": "errors",
    "ModelWarning": "errors",
    "SavedModel": "saved_model",
    "add_model": "library",
    "card": "cards",
    "load_model": "loading",
    "remove_model": "library",
    "save_model": "saving",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
