"""Net ecosystem exchange of carbon: a light and temperature response and an LSTM under the same ports."""

from importlib import import_module
from typing import Any

_HOME = {
    "CLIMATE": "ports",
    "COVER": "ports",
    "LightResponseNEE": "light_response",
    "LSTMNEE": "lstm",
    "site_data": "sites",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
