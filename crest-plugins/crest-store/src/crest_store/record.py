"""Record of a run in the repository: one JSON line a cycle, for ever, in a growing array of bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from crest_core import StoreError
from crest_store import arrays

_CHUNK = 16384


def append(root: zarr.Group, cycle: int, attributes: Mapping[str, Any]) -> int:
    """Add the line of a cycle; return the length of the record in bytes."""
    try:
        line = json.dumps({"cycle": cycle, **attributes}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"attributes of a cycle must be JSON values: {error}") from error
    text = np.frombuffer(f"{line}\n".encode(), dtype=np.uint8)
    if "record" in root:
        arrays.append(root, "record", text)
    else:
        arrays.write(root, "record", text, rows=_CHUNK, attributes={"long_name": "a JSON line for each cycle"})
    return int(arrays.opened(root, "record").shape[0])


def read(root: zarr.Group) -> list[dict[str, Any]]:
    """Return the records of all cycles, oldest first."""
    if "record" not in root:
        return []
    return [json.loads(line) for line in arrays.read(root, "record").tobytes().decode().splitlines()]
