"""Physics-constrained neural evapotranspiration: the energy balance closes, a network learns the rest."""

from importlib import import_module
from typing import Any

_HOME = {"ETNetwork": "pure", "PenmanMonteithET": "hybrid", "PriestleyTaylorET": "hybrid", "tower_weather": "towers"}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
