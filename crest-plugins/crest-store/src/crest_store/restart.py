"""Restarts in the repository: `restart/<cycle>`, the state and the accumulators of history, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
import zarr

from crest_core import StoreError, Tensors
from crest_store import arrays
from crest_store.intervals import to_date
from crest_store.reduction import Partial

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes, for types NumPy lacks


@dataclass(frozen=True)
class Checkpoint:
    """What a run goes on from, the state aside: cycle, attributes, lengths of streams and their accumulators."""

    cycle: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    partials: dict[str, Partial] = field(default_factory=dict)
    record: int = 0  # bytes of the record

    @property
    def incomplete(self) -> dict[str, tuple[str, int]]:
        """By stream, from when on and with how many steps an interval waits for the rest of its steps."""
        calendar = str(self.attributes.get("calendar", "standard"))
        return {name: (to_date(one.interval, calendar), one.count) for name, one in self.partials.items() if one.count}


def write(root: zarr.Group, checkpoint: Checkpoint, state: Tensors) -> None:
    """Write the restart of a cycle."""
    accumulators = {
        name: {"start": one.start, "interval": one.interval, "count": one.count}
        for name, one in checkpoint.partials.items()
    }
    group = root.create_group(f"restart/{checkpoint.cycle}")
    group.update_attributes(
        {
            "cycle": checkpoint.cycle,
            "attributes": checkpoint.attributes,
            "lengths": checkpoint.lengths,
            "record": checkpoint.record,
            "accumulators": accumulators,
        }
    )
    states = group.create_group("state")
    for name, tensor in state.items():
        values, kind = _to_numpy(tensor)
        arrays.write(states, quote(f"~{name}", safe="~"), values, attributes={"name": name, "torch_dtype": kind})
    for stream, partial in checkpoint.partials.items():
        for name, values in partial.values.items():
            arrays.write(group, f"accumulators/{stream}/{name}", values, attributes={"name": name})


def read(root: zarr.Group, cycle: int) -> tuple[Checkpoint, Tensors]:
    """Return the restart of a cycle."""
    found, state = checkpoint(root, cycle), {}
    group = arrays.group_at(root, f"restart/{cycle}")
    for array in arrays.all_arrays(arrays.group_at(group, "state")):
        kind = getattr(torch, str(array.attrs["torch_dtype"]))
        state[str(array.attrs["name"])] = torch.from_numpy(np.array(arrays.values_of(array))).view(kind)
    return found, state


def checkpoint(root: zarr.Group, cycle: int) -> Checkpoint:
    """Return the restart of a cycle, its state left unread."""
    known = cycles(root)
    if cycle not in known:
        raise StoreError(f"cycle {cycle} has no restart; kept are {', '.join(map(str, known)) or 'none'}")
    group = arrays.group_at(root, f"restart/{cycle}")
    stored: Any = group.attrs.asdict()
    partials = {
        stream: Partial(values=_values(group, f"accumulators/{stream}"), **numbers)
        for stream, numbers in stored["accumulators"].items()
    }
    return Checkpoint(cycle, stored["attributes"], stored["lengths"], partials, stored["record"])


def cycles(root: zarr.Group) -> list[int]:
    """Return the cycles that have a restart."""
    return sorted(int(name) for name in arrays.group_at(root, "restart").group_keys()) if "restart" in root else []


def newest(root: zarr.Group) -> int:
    """Return the last cycle that has a restart."""
    found = cycles(root)
    if not found:
        raise StoreError("the run has no committed cycle yet")
    return found[-1]


def retain(root: zarr.Group, newest: int, keep: int, every: int) -> None:
    """Delete the restarts that are neither among the last `keep` nor of every `every`-th cycle."""
    for cycle in cycles(root):
        if cycle <= newest - keep and not (every and cycle % every == 0):
            delete(root, cycle)


def delete(root: zarr.Group, cycle: int) -> None:
    """Delete the restart of a cycle."""
    del root[f"restart/{cycle}"]


def _values(group: zarr.Group, path: str) -> dict[str, np.ndarray]:
    if path not in group:
        return {}
    return {
        str(array.attrs["name"]): arrays.values_of(array) for array in arrays.all_arrays(arrays.group_at(group, path))
    }


def _to_numpy(tensor: torch.Tensor) -> tuple[np.ndarray, str]:
    """Return the bits of a tensor as an array, and its type by name."""
    tensor, kind = tensor.detach().cpu().contiguous(), str(tensor.dtype).removeprefix("torch.")
    try:
        return tensor.numpy(), kind
    except TypeError:  # bfloat16 and the like
        return tensor.view(_INTEGERS[tensor.element_size()]).numpy(), kind
