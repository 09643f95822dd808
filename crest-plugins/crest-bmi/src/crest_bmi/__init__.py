"""BMI models as components of a graph, and graphs as BMI models."""

from importlib import import_module
from typing import Any

_HOME = {
    "ArrayBmi": "array_bmi",
    "ArrayVariable": "array_bmi",
    "Axes": "grids",
    "BmiComponent": "component",
    "BmiGrid": "grids",
    "GraphBmi": "export",
    "HBV": "hbv",
    "as_bmi": "export",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
