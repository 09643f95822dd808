"""Durable files: brought to the disk and summed up before a cycle is called committed.

Icechunk renames finished files into place and does not fsync: what a kill leaves is whole, what a power cut leaves may
not be. So each new file and its folder are synchronised here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

FOLDERS = ("chunks", "manifests", "snapshots", "transactions", "attributes")
HARMLESS = re.compile(r"\..*|desktop\.ini|Thumbs\.db|Icon\r|lost\+found")  # what systems and disks put anywhere
Sums = dict[str, tuple[str, int]]  # by path in the repository: sha256 and size
_DATA = re.compile(rf"(?:{'|'.join(FOLDERS)})/[0-9A-HJKMNP-TV-Z]{{20}}")  # Icechunk's names are 12 bytes in base 32


def listing(folder: Path) -> set[str]:
    """Return the finished data files of a repository, as paths within it."""
    return {
        f"{kind}/{name}"
        for kind in FOLDERS
        if (folder / kind).is_dir()
        for name in os.listdir(folder / kind)
        if is_data(f"{kind}/{name}")
    }


def is_data(name: str) -> bool:
    """Return whether a path in a repository is one of a finished data file, and none that others put there."""
    return _DATA.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Delete files that were begun and not finished, and what file managers put where Icechunk stumbles over it."""
    for file in (folder / "refs").glob("*"):
        if HARMLESS.fullmatch(file.name) and file.is_file():
            file.unlink()
    for kind in FOLDERS:
        for file in (folder / kind).glob("*#*"):
            file.unlink(missing_ok=True)


def persist(folder: Path, names: Iterable[str]) -> Sums:
    """Bring files and their folders to the disk; return their sums."""
    files = sorted(names)
    with ThreadPoolExecutor(8, "crest-fsync") as pool:
        found = dict(zip(files, pool.map(lambda name: sums(folder / name, sync=True), files), strict=True))
    for kind in sorted({name.partition("/")[0] for name in files}):
        sync_folder(folder / kind)
    if files:
        sync_folder(folder)
    return found


def sums(file: Path, *, sync: bool = False) -> tuple[str, int]:
    """Return sha256 and size of a file."""
    digest, size = sha256(), 0
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
        if sync:
            os.fsync(stream.fileno())
    return digest.hexdigest(), size


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damage(folder: Path, expected: Sums) -> dict[str, str]:
    """Return by file what is wrong with those that do not hold what was written."""
    found = {}
    for name, (digest, size) in sorted(expected.items()):
        try:
            now, bytes_now = sums(folder / name)
        except FileNotFoundError:
            found[name] = f"{folder / name} is missing ({size} bytes were written)"
        except OSError as error:
            found[name] = f"{folder / name} cannot be read: {error}"
        else:
            if bytes_now != size:
                found[name] = f"{folder / name} has {bytes_now} bytes, {size} were written"
            elif now != digest:
                found[name] = f"{folder / name} ({size} bytes) has sha256 {now[:12]}, written was {digest[:12]}"
    return found
