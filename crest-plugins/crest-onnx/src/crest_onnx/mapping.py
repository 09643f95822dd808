"""FieldMapping: which fields go into which tensors of an ONNX graph; kept as JSON in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from onnx import ModelProto

from crest_core import CrestError, FieldError, FieldSpec, Standardize, TensorMap

KEY = "crest"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class FieldMapping:
    """Fields, the tensors that they go into, and the timestep: what a component has beyond its network.

    State maps are named by the graph's inputs that take the state; `state_outputs` are the graph's outputs that give
    the new one, in the same order.
    """

    inputs: tuple[FieldSpec, ...]
    outputs: tuple[FieldSpec, ...]
    input_maps: tuple[TensorMap, ...]
    output_maps: tuple[TensorMap, ...]
    states: tuple[FieldSpec, ...] = ()
    state_maps: tuple[TensorMap, ...] = ()
    state_outputs: tuple[str, ...] = ()
    dim_sizes: Mapping[str, int] = field(default_factory=dict)
    timestep: str = "1D"

    def __post_init__(self) -> None:
        if len(self.state_maps) != len(self.state_outputs):
            raise FieldError(
                f"state_outputs: expected one output of the graph for each of the state maps "
                f"{[item.name for item in self.state_maps]}, got {list(self.state_outputs)}"
            )

    def to_json(self) -> str:
        """Return the mapping as text."""
        plain: dict[str, Any] = {"format": FORMAT, "timestep": self.timestep, "dim_sizes": dict(self.dim_sizes)}
        plain |= {role: [asdict(spec) for spec in getattr(self, role)] for role in ("inputs", "outputs", "states")}
        plain |= {role: [_map(item) for item in getattr(self, role)] for role in _MAPS}
        return json.dumps(plain | {"state_outputs": list(self.state_outputs)}, sort_keys=True)


_MAPS = ("input_maps", "output_maps", "state_maps")


def write_mapping(model: ModelProto, mapping: FieldMapping) -> None:
    """Put the mapping into the metadata of a model, in place of one that was there."""
    kept = [(item.key, item.value) for item in model.metadata_props if item.key != KEY]
    del model.metadata_props[:]
    for key, value in (*kept, (KEY, mapping.to_json())):
        model.metadata_props.add(key=key, value=value)


def read_mapping(model: ModelProto, who: str) -> FieldMapping | None:
    """Return the mapping in the metadata of a model, None where it has none."""
    text = next((item.value for item in model.metadata_props if item.key == KEY), None)
    if text is None:
        return None
    try:
        return _from_json(json.loads(text))
    except (CrestError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FieldError(f"{who}: the field mapping in its metadata cannot be used: {error!r}") from error


def _from_json(plain: dict[str, Any]) -> FieldMapping:
    if plain["format"] != FORMAT:
        raise FieldError(f"format {plain['format']!r}; this version reads {FORMAT}")
    sizes = {str(name): int(size) for name, size in plain["dim_sizes"].items()}
    return FieldMapping(
        **{role: tuple(_spec(item) for item in plain[role]) for role in ("inputs", "outputs", "states")},
        **{role: tuple(_read_map(item) for item in plain[role]) for role in _MAPS},
        state_outputs=tuple(str(name) for name in plain["state_outputs"]),
        dim_sizes=sizes,
        timestep=str(plain["timestep"]),
    )


def _map(item: TensorMap) -> dict[str, Any]:
    scale = None if item.scale is None else {"mean": dict(item.scale.mean), "std": dict(item.scale.std)}
    return {"name": item.name, "fields": list(item.fields), "pattern": item.pattern, "scale": scale}


def _read_map(plain: dict[str, Any]) -> TensorMap:
    scale = plain["scale"] and Standardize(mean=_numbers(plain["scale"]["mean"]), std=_numbers(plain["scale"]["std"]))
    return TensorMap(str(plain["name"]), tuple(map(str, plain["fields"])), str(plain["pattern"]), scale)


def _spec(plain: dict[str, Any]) -> FieldSpec:
    lists = ("dims", "vertical", "bounds")
    values = {name: tuple(value) if name in lists and value is not None else value for name, value in plain.items()}
    unknown = sorted(set(values) - {item.name for item in fields(FieldSpec)})
    if unknown:
        raise FieldError(f"a field has the unknown entries {unknown}")
    return FieldSpec(**values)


def _numbers(plain: dict[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in plain.items()}


def names(maps: Sequence[TensorMap]) -> tuple[str, ...]:
    """Return the names of tensor maps."""
    return tuple(item.name for item in maps)
