"""Size and sha256 of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 1 << 20  # bytes


def sums(path: Path) -> tuple[int, str]:
    """Return size and sha256 of a file."""
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            count += len(block)
    return count, digest.hexdigest()
