"""Read a file of a model folder: a plain file of its own, reached through no link, not above a size."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from crest_models.errors import ModelError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def check_name(name: str) -> str:
    """Return the name if it is a bare file name; ValueError for paths, hidden files and odd characters."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"expected the bare name of a file in this folder (letters, digits, '.', '_', '-'), got {name!r}"
        )
    return name


def read_plain(folder: Path, name: str, largest: int, size: int | None = None) -> bytes:
    """Return the content of folder/name, of `size` bytes if that is known.

    What is opened is what was checked, whatever happens to the name meanwhile.
    """
    path = folder / check_name(name)
    try:
        within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)
        finally:
            os.close(within)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ModelError(f"{path} is a symbolic link, which is not followed; copy the file there") from error
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{path} is no regular file but a folder, pipe or device")
        if about.st_nlink != 1:
            raise ModelError(
                f"{path} is a hard link: the file has {about.st_nlink} names; copy it, so that it is its own"
            )
        if about.st_size > largest:
            raise ModelError(f"{path} has {about.st_size} bytes, at most {largest}")
        if size is not None and about.st_size != size:
            raise ModelError(f"{path} has {about.st_size} bytes, expected {size}; it was cut off or changed")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ModelError(f"{path} grew above {largest} bytes while it was read")
    return content
