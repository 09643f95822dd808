"""Checkpoint: all that a training needs to go on, in one safetensors file that is replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crest_core import SafetensorsStore, StoreError

FILE = "checkpoint.safetensors"
FORMAT = "crest-training checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors of each part of a training ("model", "best", "optimiser", ...) and what is known beside them."""

    parts: Mapping[str, Mapping[str, Tensor]]
    facts: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write it, atomically."""
        flat = {f"{part}/{name}": value for part, held in self.parts.items() for name, value in held.items()}
        SafetensorsStore(folder / FILE).save(flat, {"format": FORMAT, **self.facts})

    @staticmethod
    def load(folder: Path) -> Checkpoint:
        """Return the last one of a folder; StoreError where there is none."""
        tensors, facts = SafetensorsStore(folder / FILE).load()
        if facts.pop("format", None) != FORMAT:
            raise StoreError(f"{folder / FILE} is no checkpoint of a training: expected {FORMAT!r}")
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = value
        return Checkpoint(parts, facts)

    def part(self, name: str) -> Mapping[str, Tensor]:
        """Return the tensors of a part, none where it has none."""
        return self.parts.get(name, {})

    def check(self, settings: Mapping[str, Any], folder: Path) -> None:
        """Raise StoreError where the training that goes on is not the one that was interrupted."""
        before = self.facts["settings"]
        other = [name for name in settings if settings[name] != before.get(name)]
        if other:
            told = "; ".join(f"{name} was {before.get(name)!r}, is {settings[name]!r}" for name in other)
            raise StoreError(
                f"checkpoint {folder / FILE} is of another training: {told}; go on with the same, or take another "
                f"folder"
            )


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's own generators, which dropout draws from."""
    found = {"cpu": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put the state of torch's own generators back."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
