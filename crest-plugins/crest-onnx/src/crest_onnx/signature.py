"""Signature: what an ONNX graph takes and gives, held against the tensor maps and every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from onnx import ModelProto, TensorProto, ValueInfoProto
from torch import Tensor

from crest_core import ComponentError, FieldError
from crest_core.plugins import near
from crest_onnx.mapping import FieldMapping, names

STATE = "carried_state"  # the argument by which the component hands over the state
_FLOATS = {TensorProto.FLOAT: torch.float32, TensorProto.DOUBLE: torch.float64}


@dataclass(frozen=True)
class Signature:
    """Names of the tensors of a graph by their part, their declared shapes (None where free), and the number type."""

    who: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    state_inputs: tuple[str, ...]
    state_outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | None, ...] | None]
    dtype: torch.dtype

    @property
    def results(self) -> tuple[str, ...]:
        """All outputs that are asked for, the new state last."""
        return self.outputs + self.state_outputs

    def tensors(self, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the graph's inputs from the arguments of a call, their shapes checked."""
        found = {name: arguments[name] for name in self.inputs}
        state = arguments.get(STATE, ())
        found |= zip(self.state_inputs, (state,) if isinstance(state, Tensor) else state, strict=True)
        for name, value in found.items():
            declared = self.shapes[name]
            if declared is not None and not _fits(value.shape, declared):
                free = ["free" if size is None else size for size in declared]
                advice = "where the exporter fixed a size, export it again with that axis dynamic"
                if len(free) != value.dim():
                    advice = "members and cells become one axis where the pattern says (...) in brackets"
                raise ComponentError(
                    f"{self.who}: input {name} expects the shape {free}, got {list(value.shape)}; {advice}"
                )
        return found

    def result(self, values: Sequence[Tensor]) -> Any:
        """Return (outputs, new state), or the outputs where there is no state."""
        count = len(self.outputs)
        return (tuple(values[:count]), tuple(values[count:])) if self.state_outputs else tuple(values)


def signature_of(model: ModelProto, mapping: FieldMapping, who: str) -> Signature:
    """Return the signature of a graph; FieldError where it is not what the maps say."""
    stored = {item.name for item in model.graph.initializer}
    inputs = {item.name: item for item in model.graph.input if item.name not in stored}
    outputs = {item.name: item for item in model.graph.output}
    taken = names(mapping.input_maps) + names(mapping.state_maps)
    given = names(mapping.output_maps) + mapping.state_outputs
    for role, asked, known in (("inputs", taken, inputs), ("outputs", given, outputs)):
        lost = [name for name in asked if name not in known]
        if lost or len(set(asked)) != len(asked):
            hint = near(lost[0], known) if lost else ""
            raise FieldError(
                f"{who} has the {role} {list(known)}; the maps name {list(asked)}{hint}; name each map as the tensor "
                f"of the graph that it stands for, once"
            )
    missing = [name for name in inputs if name not in taken]
    if missing:
        raise FieldError(f"{who}: no input or state map for the inputs {missing} of the graph; add them")
    types = {name: item.type.tensor_type.elem_type for name, item in (inputs | outputs).items()}
    kinds = {types[name] for name in (*taken, *given)}
    if len(kinds) != 1 or not kinds <= set(_FLOATS):
        listed = ", ".join(f"{name} {TensorProto.DataType.Name(types[name])}" for name in (*taken, *given))
        raise ComponentError(f"{who}: fields are real numbers of one type, FLOAT or DOUBLE; the graph has {listed}")
    return Signature(
        who,
        names(mapping.input_maps),
        names(mapping.output_maps),
        names(mapping.state_maps),
        mapping.state_outputs,
        {name: _declared(item) for name, item in (inputs | outputs).items()},
        _FLOATS[kinds.pop()],
    )


def _declared(item: ValueInfoProto) -> tuple[int | None, ...] | None:
    kind = item.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim)


def _fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    return len(shape) == len(declared) and all(
        there is None or here == there for here, there in zip(shape, declared, strict=True)
    )
