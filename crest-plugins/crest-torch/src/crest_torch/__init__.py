"""Any PyTorch module as a component: fields into its tensors and back, recurrent state in sight."""

from importlib import import_module
from typing import Any

_HOME = {
    "FieldScaling": "scaling",
    "LSTMRegressor": "lstm",
    "TorchComponent": "component",
    "lstm_component": "lstm",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
