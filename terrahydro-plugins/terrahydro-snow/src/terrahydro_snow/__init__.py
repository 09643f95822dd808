"""Snow water equivalent and snow-covered fraction: degree days and an LSTM under the same ports."""

from importlib import import_module
from typing import Any

_HOME = {"DegreeDaySnow": "degree_day", "SnowLSTM": "lstm"}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
