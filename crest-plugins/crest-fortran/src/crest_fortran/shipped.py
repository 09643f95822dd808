"""The files that this package brings: the interface for authors and compiled example libraries."""

from __future__ import annotations

import sys
from pathlib import Path

from crest_core import PluginError

_HERE = Path(__file__).parent
_SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"


def interface_file(name: str) -> Path:
    """Return the path of "crest_component.f90" or "crest_component.h"."""
    return _HERE / "interface" / name


def shipped_library(name: str) -> Path:
    """Return the path of a compiled library, such as "soil_bucket"."""
    path = _HERE / "lib" / f"{name}{_SUFFIX}"
    if not path.is_file():
        found = sorted(file.stem for file in (_HERE / "lib").glob(f"*{_SUFFIX}"))
        raise PluginError(
            f"crest-fortran ships no compiled library {name!r}; it ships "
            f"{', '.join(found) or 'none: install it with pip, which compiles them'}"
        )
    return path
