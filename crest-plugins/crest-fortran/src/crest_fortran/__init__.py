"""Shared libraries in Fortran or C as CREST components."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crest_fortran.component import FortranComponent
    from crest_fortran.library import Arrays, FortranLibrary
    from crest_fortran.shipped import interface_file, shipped_library

__all__ = ["Arrays", "FortranComponent", "FortranLibrary", "interface_file", "shipped_library"]

_HOMES = {
    "FortranComponent": "component",
    "FortranLibrary": "library",
    "Arrays": "library",
    "interface_file": "shipped",
    "shipped_library": "shipped",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
