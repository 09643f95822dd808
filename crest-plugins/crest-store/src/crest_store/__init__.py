"""Transactional store of runs: history, restart and record of each cycle in one Icechunk commit."""

from importlib import import_module
from typing import Any

_HOME = {
    "Box": "stream",
    "DamageError": "errors",
    "DamageWarning": "errors",
    "IcechunkArchive": "archive",
    "LockError": "errors",
    "Run": "run",
    "Stream": "stream",
    "StreamError": "errors",
    "open_run": "run",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
