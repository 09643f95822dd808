"""TERRAHydro: snow, soil moisture, evapotranspiration, carbon and streamflow coupled into one twin of the land."""

from importlib import import_module
from typing import Any

_HOME = {
    "CrossStitch": "cross_stitch",
    "PARTS": "coupled",
    "draw_budget": "figures",
    "draw_fluxes": "figures",
    "draw_spread": "figures",
    "draw_states": "figures",
    "SpreadAndError": "members",
    "residuals": "budget",
    "spread_and_error": "members",
    "together": "members",
    "totals": "budget",
    "twin": "coupled",
    "twin_weather": "places",
    "water_budget": "budget",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
