"""structure_hash: what a component computes apart from its weights, as far as it says so itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from torch import nn

from crest_core import Component, FieldSpec

_SUM = re.compile(r",? ?sha256 [0-9a-f]{64}")


def structure_hash(component: Component) -> str:
    """Return the sha256 of fields, timestep, and what each part prints of itself (`extra_repr`), scaling included.

    Names of modules, texts that only explain, and what torch prints of its own layers do not count, nor the sums of
    files: a library that a package compiles has other bytes on every machine, and is named by its version.
    """
    groups = (component.inputs, component.outputs, component.states, component.parameter_specs)
    fields = [[_field(spec) for spec in group] for group in groups]
    own = [component.timestep, dict(component.dim_sizes), dict(component.layers), list(component.conserves)]
    text = json.dumps([fields, own, list(_parts(component))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _field(spec: FieldSpec) -> dict[str, Any]:
    return asdict(spec) | {"doc": ""}


def _parts(component: Component) -> Iterator[tuple[str, str, str]]:
    for name, part in component.named_modules():
        yield name, type(part).__qualname__, "" if _of_torch(part) else _SUM.sub("", part.extra_repr())


def _of_torch(part: nn.Module) -> bool:
    return type(part).__module__.partition(".")[0] == "torch"
