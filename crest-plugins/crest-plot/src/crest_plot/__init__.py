"""Pictures of runs and data: maps, time series, hydrographs, availability and coverage."""

from importlib import import_module
from typing import Any

_HOME = {
    "PlotError": "errors",
    "open_run": "opening",
    "plot_availability": "plotting",
    "plot_coverage": "plotting",
    "plot_field": "plotting",
    "plot_quicklook": "plotting",
    "save_picture": "plotting",
}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `crest list` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
