"""Damage to a file at rest: a flipped bit, a file cut short, an empty file."""

from __future__ import annotations

import random
from pathlib import Path

KINDS = ("flipped", "cut", "emptied")


def hurt(file: Path, kind: str, generator: random.Random, span: tuple[int, int] | None = None) -> str:
    """Damage a file, within a span of its bytes; return in words what was done."""
    content = bytearray(file.read_bytes())
    assert content, f"{file} is empty"
    place = generator.randrange(*(span or (0, len(content))))
    if kind == "flipped":
        bit = generator.randrange(8)
        content[place] ^= 1 << bit
        file.write_bytes(content)
        return f"bit {bit} of byte {place} of {len(content)} flipped"
    length = 0 if kind == "emptied" else place
    file.write_bytes(content[:length])
    return f"{len(content)} bytes cut to {length}"


def drawn(folder: Path, patterns: list[str], generator: random.Random) -> Path:
    """Return one of the files of a class."""
    files = sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
    assert files, f"no file {patterns} in {folder}"
    return generator.choice(files)
