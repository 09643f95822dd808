"""Soil moisture in layers: a Fortran bucket and an LSTM under the same ports, and Caravan as their fields."""

from importlib import import_module
from typing import Any

_HOME = {"SoilBucket": "bucket", "SoilLSTM": "lstm", "soil_data": "caravan"}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
