"""Training and calibration of coupled graphs by gradients through all of their components."""

from importlib import import_module
from typing import Any

_HOME = {
    "Observation": "observation",
    "TrainingRecord": "record",
    "bias": "metrics",
    "day_of_year_climatology": "climatology",
    "fit": "fitting",
    "kge": "metrics",
    "nse": "metrics",
    "rmse": "metrics",
    "ubrmse": "metrics",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
