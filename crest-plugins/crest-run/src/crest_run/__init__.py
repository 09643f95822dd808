"""Run files: a coupled run as YAML, checked by file, line and key."""

from importlib import import_module
from typing import Any

_HOME = {
    "CyclingArchive": "cycling",
    "GoingOn": "archive",
    "RunFile": "runfile",
    "RunFileError": "errors",
    "RunPart": "part",
    "build_graph": "build",
    "draw_plan": "plan_figure",
    "execute": "execution",
    "load_run": "runfile",
    "open_forcing": "execution",
    "open_results": "archive",
    "plugin_dictionary": "build",
    "rerun": "repetition",
    "simulate_run": "execution",
    "verify_restart": "verify",
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
