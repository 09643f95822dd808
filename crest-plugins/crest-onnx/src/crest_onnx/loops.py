"""Graphs inside nodes (Loop, Scan, If ...): which nodes have them, and loops that would not end in any useful time.

onnxruntime cannot be interrupted inside a loop, so that a long one is told when the file is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, numpy_helper

from crest_core import ComponentError

MOST_TRIPS = 10**6


def check_control_flow(model: ModelProto, who: str, *, allowed: bool) -> None:
    """Raise ComponentError for a loop without end or of more than MOST_TRIPS constant trips, nested ones multiplied.

    Where control flow is not allowed, any node with a graph of its own is refused. Trip counts and conditions that are
    computed are not known here.
    """
    if not allowed:
        found = [f"{node.op_type} ({_name(node)})" for node in model.graph.node if any(_inner(node))]
        if found:
            raise ComponentError(
                f"{who}: it has control flow, {', '.join(found[:10])}: how long that runs is not known before, and "
                f"onnxruntime cannot be interrupted in it; export the network without loops and branches"
            )
    _check_trips(model.graph, who, {}, 1)


def _check_trips(graph: GraphProto, who: str, outer: Mapping[str, int], trips: int) -> None:
    known = {**outer, **_constants(graph)}
    for node in graph.node:
        inside = trips
        if node.op_type == "Loop":
            count, condition = (*node.input, "", "")[:2]
            if not count and not condition:
                raise ComponentError(
                    f"{who}: Loop ({_name(node)}) has neither a trip count nor a condition; it never ends"
                )
            inside *= max(known.get(count, 1), 1)
            if inside > MOST_TRIPS:
                raise ComponentError(
                    f"{who}: Loop ({_name(node)}) asks for {inside} trips, at most {MOST_TRIPS}; onnxruntime cannot be "
                    f"interrupted in it"
                )
        for inner in _inner(node):
            _check_trips(inner, who, known, inside)


def _constants(graph: GraphProto) -> dict[str, int]:
    """Return the whole numbers that stand in a graph."""
    tensors = {item.name: item for item in graph.initializer}
    found = {}
    for node in graph.node:
        for item in node.attribute if node.op_type == "Constant" else ():
            if item.name == "value":
                tensors[node.output[0]] = item.t
            elif item.name == "value_int":
                found[node.output[0]] = item.i
            elif item.name == "value_ints" and len(item.ints) == 1:
                found[node.output[0]] = item.ints[0]
    for name, tensor in tensors.items():
        if tensor.data_type == tensor.INT64 and prod(tensor.dims) == 1:
            found[name] = int(numpy_helper.to_array(tensor).item())
    return found


def _inner(node: NodeProto) -> Iterator[GraphProto]:
    for item in node.attribute:
        if item.type == AttributeProto.GRAPH:
            yield item.g
        yield from item.graphs


def _name(node: NodeProto) -> str:
    return node.name or f"for {next(iter(node.output), '')}"
