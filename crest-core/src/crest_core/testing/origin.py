"""Origin: the line of the author's own code where an error arose, below the frames of CREST and of libraries."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Collection, Iterator
from pathlib import Path
from traceback import walk_tb
from types import FrameType

_LIBRARIES = {"site-packages", "dist-packages"}
_STANDARD = Path(sysconfig.get_path("stdlib"))


def origin(error: BaseException, packages: Collection[str] = ()) -> str:
    """Return "file:line, in function" of the last frame that is the author's, "" where there is none.

    That is a frame of one of `packages`, else one outside of CREST, the standard library and what pip installed. Of an
    error that was raised from another one, the other counts: it tells what happened.
    """
    frames = [(frame, line) for one in _chain(error) for frame, line in walk_tb(one.__traceback__)]
    own = [(frame, line) for frame, line in frames if _package(frame) in packages]
    found = own or [(frame, line) for frame, line in frames if _of_nobody(frame)]
    if not found:
        return ""
    frame, line = found[-1]
    return f"{_shown(Path(frame.f_code.co_filename))}:{line}, in {frame.f_code.co_name}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error, then what it was raised from, down to the first."""
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _of_nobody(frame: FrameType) -> bool:
    """Return whether a frame lies in no package of CREST, no library and no text that was compiled."""
    path = Path(frame.f_code.co_filename)
    libraries = _LIBRARIES.intersection(path.parts) or path.is_relative_to(_STANDARD)
    return path.is_file() and not libraries and not _package(frame).startswith("crest_")


def _shown(path: Path) -> str:
    """Return a path from here, where it lies below the working folder."""
    here = os.getcwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
