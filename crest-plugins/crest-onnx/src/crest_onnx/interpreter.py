"""Interpreter: an ONNX graph as an nn.Module, node by node in torch; exact gradients, trainable weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from onnx import GraphProto, ModelProto, NodeProto
from torch import Tensor, nn

from crest_core import ComponentError
from crest_core.plugins import near
from crest_onnx.operators import OPERATORS, Node
from crest_onnx.operators.node import as_tensor, is_known_type, read_node

_OWN_DOMAINS = ("", "ai.onnx")
# Inputs of operators that are settings rather than weights: training never moves what stands there.
_SETTINGS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4),
    "Clip": (1, 2),
    "GRU": (5,),
    "LSTM": (5, 6),
    "OneHot": (2,),
    "Pad": (2,),
    "Pow": (1,),
    "RNN": (5,),
    "Range": (0, 1, 2),
    "Resize": (1, 2),
    "Upsample": (1,),
}


class Interpreter(nn.Module):
    """The outputs of an ONNX graph for its inputs, computed in torch; float initialisers are its parameters.

    Initialisers without axes, those that are settings (bounds of Clip, exponents, statistics of BatchNormalization,
    states that recurrent layers start from) and the values of Constant nodes are buffers, unless `trainable` names the
    initialisers that are parameters. `outputs` are those that are asked for; nodes that they do not need are left out.
    """

    def __init__(self, model: ModelProto, outputs: Sequence[str], trainable: Sequence[str] | None = None) -> None:
        super().__init__()
        graph = model.graph
        self.outputs = tuple(outputs)
        needed = needed_nodes(graph, self.outputs)
        unknown = unknown_operators(needed)
        if unknown:
            raise ComponentError(f"the interpreter does not know {'; '.join(unknown)}")
        opset = next(item.version for item in model.opset_import if item.domain in _OWN_DOMAINS)
        nodes = [read_node(proto, opset, index) for index, proto in enumerate(needed)]
        read = {name for node in nodes for name in node.inputs} | set(self.outputs)
        constants = {
            node.outputs[0]: _tensor(OPERATORS["Constant"](node)) for node in nodes if node.operator == "Constant"
        }
        initialisers = {item.name: as_tensor(item) for item in graph.initializer if item.name in read}
        chosen = _trained(initialisers, nodes, trainable)
        self.weights = nn.ParameterDict()
        self.constants = _Constants()
        self._weight_keys: dict[str, str] = {}
        self._constant_keys: dict[str, str] = {}
        for name, value in {**initialisers, **constants}.items():
            if name in chosen:
                self._weight_keys[name] = _key(name, self.weights)
                self.weights[self._weight_keys[name]] = nn.Parameter(value)
            else:
                self._constant_keys[name] = self.constants.keep(name, value)
        steps = [node for node in nodes if node.operator != "Constant"]
        self._steps = {
            dtype: [(OPERATORS[node.operator], replace(node, working=dtype)) for node in steps]
            for dtype in (torch.float32, torch.float64)
        }

    def initialisers(self) -> dict[str, Tensor]:
        """Return the parameters and buffers by their names in the ONNX graph."""
        weights = {name: self.weights[key] for name, key in self._weight_keys.items()}
        return weights | {name: self.constants.get_buffer(key) for name, key in self._constant_keys.items()}

    def forward(self, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs for the graph's inputs by name."""
        values: dict[str, Tensor | None] = {**self.initialisers(), **tensors, "": None}
        double = any(value.dtype == torch.float64 for value in tensors.values())
        for function, node in self._steps[torch.float64 if double else torch.float32]:
            try:
                found = function(node, *(values[name] for name in node.inputs))
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                if isinstance(error, ComponentError):
                    raise
                shapes = ", ".join(_form(values[name]) for name in node.inputs)
                raise ComponentError(f"{node.operator} ({node.name}) cannot take {shapes}: {error}") from error
            values.update(zip(node.outputs, (found,) if isinstance(found, Tensor) else found, strict=False))
        return tuple(_tensor(values[name]) for name in self.outputs)


class _Constants(nn.Module):
    """Buffers under names that torch allows; whole numbers are not saved with the weights."""

    def keep(self, name: str, value: Tensor) -> str:
        key = _key(name, self)
        self.register_buffer(key, value, persistent=value.is_floating_point())
        return key


def needed_nodes(graph: GraphProto, outputs: Sequence[str]) -> list[NodeProto]:
    """Return the nodes that the outputs depend on, in their order."""
    made = {name for node in graph.node for name in node.output} | {item.name for item in graph.input}
    made |= {item.name for item in graph.initializer}
    lost = [name for name in outputs if name not in made]
    if lost:
        known = [item.name for item in graph.output]
        raise ComponentError(f"the graph has no output {lost[0]!r}{near(lost[0], known)}; outputs: {', '.join(known)}")
    wanted, needed = set(outputs), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            needed.append(node)
    return needed[::-1]


def unknown_operators(nodes: Sequence[NodeProto]) -> list[str]:
    """Return each operator that the interpreter does not know, with the nodes that use it."""
    found: dict[str, list[str]] = {}
    for index, node in enumerate(nodes):
        name = node.op_type if node.domain in _OWN_DOMAINS else f"{node.domain}.{node.op_type}"
        tensors = [item.t for item in node.attribute if item.t.data_type]
        if name not in OPERATORS or not all(is_known_type(tensor.data_type) for tensor in tensors):
            found.setdefault(name, []).append(node.name or f"node {index}")
    return [f"{name} ({', '.join(places)})" for name, places in found.items()]


def _trained(initialisers: Mapping[str, Tensor], nodes: Sequence[Node], named: Sequence[str] | None) -> set[str]:
    """Return the names of the initialisers that are parameters."""
    if named is not None:
        able = [name for name, value in initialisers.items() if value.is_floating_point()]
        lost = sorted(set(named) - set(able))
        if lost:
            raise ComponentError(f"trainable: {lost} are no float initialisers of the graph; those are {sorted(able)}")
        return set(named)
    fixed = {
        node.inputs[place] for node in nodes for place in _SETTINGS.get(node.operator, ()) if place < len(node.inputs)
    }
    return {
        name for name, value in initialisers.items() if value.is_floating_point() and value.dim() and name not in fixed
    }


def _key(name: str, taken: nn.Module) -> str:
    """Return a name without dots that is not yet an attribute: what ONNX calls lstm.weight, torch cannot."""
    key = re.sub(r"\W", "_", name) or "_"
    while key in dir(taken):
        key += "_"
    return key


def _tensor(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise ComponentError(f"expected a tensor, got {type(value).__name__}")
    return value


def _form(value: Tensor | None) -> str:
    return "nothing" if value is None else f"{tuple(value.shape)} {value.dtype}"
