"""The conformance suite for components, and laws and small models for the tests of plugins."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "balance": ("Balance",),
    "compliance": ("complying",),
    "laws": ("affine_error", "dot_product_error", "materialised_vjp", "relative_difference", "taylor_orders"),
    "models": ("LinearReservoir", "NumpyBucket", "SmallLSTM", "Stress", "TorchBucket", "weather"),
    "records": ("Check", "Result"),
    "report": ("Report",),
    "suite": ("ComponentCheck", "check_component", "component_checks"),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `crest list` imports no torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
