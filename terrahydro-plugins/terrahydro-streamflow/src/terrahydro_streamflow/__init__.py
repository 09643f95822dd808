"""Streamflow of basins: an LSTM, an entity-aware LSTM and a differentiable HBV under the same ports."""

from importlib import import_module
from typing import Any

_HOME = {
    "StreamflowLSTM": "lstm",
    "StreamflowEALSTM": "ea_lstm",
    "StreamflowHBV": "hbv",
    "StreamflowRouting": "routing",
    "HBV_RANGES": "hbv_parameters",
    "KRATZERT_ATTRIBUTES": "ports",
    "basin_data": "basins",
    "gaps": "lagged",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
