"""ExportedNetwork: the graph of a program of torch.export, computed node by node with the operators that are known."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from crest_core import ComponentError
from crest_models.errors import ModelError
from crest_models.exported_archive import DTYPES, Archive
from crest_models.exported_operators import CHECKS, OPERATORS

STATE = "state"
_MODES = ("train", "training")
_SYMBOL = re.compile(r"Symbol\('(\w+)'.*\)|(\w+)")
_PLAIN = ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string")


@dataclass(frozen=True)
class _Value:
    """The result of an earlier node, by its name."""

    name: str


@dataclass(frozen=True)
class _Node:
    target: str
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]
    results: tuple[Any, ...]  # names; a tuple of names for an operator that returns a list


class ExportedNetwork(nn.Module):
    """Called with the user inputs by their names, the state as a tuple; returns results, and the new state if any.

    Nothing in the file is evaluated: operators come from a list, sizes are taken from the tensors. The sizes that the
    program was exported with are checked, those that were exported as dynamic are free.
    """

    def __init__(self, archive: Archive, inputs: Sequence[str], states: Sequence[str], results: int) -> None:
        super().__init__()
        graph, signature = archive.graph_module["graph"], archive.graph_module["signature"]
        self.input_names, self.state_names, self.result_count = tuple(inputs), tuple(states), results
        self.digest = hashlib.sha256(json.dumps(graph, sort_keys=True).encode()).hexdigest()
        self.held: dict[str, str] = {}
        shared: dict[int, nn.Parameter] = {}  # tensors that were one in the model are one parameter
        users = [name for spec in signature["input_specs"] for name in self._take_in(spec, archive, shared)]
        if sorted(users) != sorted((*inputs, *states)):
            raise ModelError(f"the program takes {users}, the input and state maps are called {[*inputs, *states]}")
        self.nodes = tuple(_nodes(graph))
        self.returned = tuple(_returned(signature["output_specs"]))
        if len(self.returned) != results + len(states):
            raise ModelError(
                f"the program returns {len(self.returned)} tensors; expected one for each of {results} output maps and "
                f"{len(states)} state maps"
            )
        self.sizes = {name: graph["tensor_values"][name]["sizes"] for name in users}
        _check_order(self.nodes, {*users, *self.held}, self.returned)

    def forward(self, **tensors: Any) -> Any:
        """Return the result (a tuple, where there are several), with the new state where there is one."""
        memory = tensors.pop(STATE, ())
        memory = (memory,) if isinstance(memory, Tensor) else memory
        values: dict[str, Any] = {**tensors, **dict(zip(self.state_names, memory, strict=True))}
        self._check_sizes(values)
        values |= {name: getattr(self, attribute) for name, attribute in self.held.items()}
        for node in self.nodes:
            keywords = {name: self._fill(name, value, values) for name, value in node.keywords}
            found = OPERATORS[node.target](*(_look_up(value, values) for value in node.arguments), **keywords)
            _store(node, found, values)
        returned = [values[name] for name in self.returned]
        results, state = tuple(returned[: self.result_count]), tuple(returned[self.result_count :])
        result = results[0] if len(results) == 1 else results
        if not state:
            return result
        return result, state[0] if len(state) == 1 else state

    def extra_repr(self) -> str:
        """Return the hash of the graph, for print and the graph hash."""
        return f"{len(self.nodes)} nodes, sha256 {self.digest}"

    def _take_in(self, spec: Mapping[str, Any], archive: Archive, shared: dict[int, nn.Parameter]) -> Iterator[str]:
        """Register a parameter or buffer of the program; yield the name of what the user gives."""
        ((kind, about),) = spec.items()
        if kind == "user_input":
            yield about["arg"]["as_tensor"]["name"]
            return
        if kind not in ("parameter", "buffer", "tensor_constant"):
            raise ModelError(f"the program needs a {kind}, which is not read; export a model of tensors only")
        name = about[f"{kind}_name"]
        tensor = (archive.weights if name in archive.weights else archive.constants).get(name)
        if tensor is None:
            raise ModelError(f"the program needs the {kind} {name!r}, which the file does not hold")
        attribute = "tensor_" + name.replace(".", "/")
        if kind == "parameter" and tensor.is_floating_point():
            self.register_parameter(attribute, shared.setdefault(id(tensor), nn.Parameter(tensor)))
        else:
            self.register_buffer(attribute, tensor)
        self.held[about["arg"]["name"]] = attribute

    def _fill(self, name: str, value: Any, values: Mapping[str, Any]) -> Any:
        """Return a keyword's value; whether dropout acts is the module's to say, not that of the day of export."""
        return self.training if name in _MODES else _look_up(value, values)

    def _check_sizes(self, values: Mapping[str, Any]) -> None:
        symbols: dict[str, int] = {}
        for name, declared in self.sizes.items():
            shape = tuple(values[name].shape)
            wanted = [item["as_int"] if "as_int" in item else _symbol(item) for item in declared]
            fits = len(shape) == len(wanted) and all(
                size == (symbols.setdefault(want, size) if isinstance(want, str) else want)
                for size, want in zip(shape, wanted, strict=True)
                if want != ""
            )
            if not fits:
                raise ComponentError(
                    f"the program was exported for {name} of the shape ({', '.join(map(str, wanted))}), got {shape}; "
                    f"sizes that vary are named in dynamic_shapes of torch.export.export"
                )


def _symbol(size: Mapping[str, Any]) -> str:
    """Return the name of a size that is free, "" for one that is computed."""
    found = _SYMBOL.fullmatch(str(size["as_expr"]["expr_str"]))
    return (found[1] or found[2]) if found else ""


def _nodes(graph: Mapping[str, Any]) -> Iterator[_Node]:
    unknown = sorted({str(node["target"]) for node in graph["nodes"]} - set(OPERATORS) - CHECKS)
    if unknown:
        raise ModelError(
            f"the program uses operators that are not run: {', '.join(unknown[:10])}; export the model as ONNX instead"
        )
    for node in graph["nodes"]:
        if node["target"] in CHECKS:
            continue
        given = [(item["name"], _argument(item["arg"])) for item in node["inputs"]]
        by_place = [item["kind"] == 1 and item["name"] not in _MODES for item in node["inputs"]]
        first = by_place.index(False) if False in by_place else len(given)  # from there on all are named
        results = tuple(_result(item) for item in node["outputs"])
        yield _Node(node["target"], tuple(value for _, value in given[:first]), tuple(given[first:]), results)


def _argument(union: Mapping[str, Any]) -> Any:
    """Return a value of the JSON, or the name of an earlier result."""
    ((kind, value),) = union.items()
    if kind in _PLAIN:
        return value
    if kind in ("as_none", "as_memory_format"):
        return None
    if kind == "as_name":
        return _Value(value)
    if kind in ("as_tensor", "as_sym_int", "as_optional_tensor"):
        return _one(value)
    if kind in ("as_tensors", "as_optional_tensors", "as_sym_ints"):
        return [_one(item) for item in value]
    if kind == "as_scalar_type" and value in DTYPES:
        return DTYPES[value]
    raise ModelError(f"the program uses an argument {kind!r}, which is not read; export the model as ONNX instead")


def _one(value: Mapping[str, Any]) -> Any:
    return _Value(value["name"]) if "name" in value else _argument(value)


def _result(union: Mapping[str, Any]) -> Any:
    value = _argument(union)
    return tuple(item.name for item in value) if isinstance(value, list) else value.name


def _returned(specs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for spec in specs:
        ((kind, about),) = spec.items()
        if kind != "user_output":
            raise ModelError(f"the program has a {kind}: it changes its buffers or inputs, and a component may not")
        yield about["arg"]["as_tensor"]["name"]


def _check_order(nodes: Sequence[_Node], known: set[str], returned: Sequence[str]) -> None:
    """Raise ModelError for a value that is used before it is computed."""
    for node in nodes:
        flat = [item for value in (*node.arguments, *dict(node.keywords).values())
                for item in (value if isinstance(value, list) else [value])]  # fmt: skip
        _check_known([item.name for item in flat if isinstance(item, _Value)], known)
        known |= {name for result in node.results for name in (result if isinstance(result, tuple) else (result,))}
    _check_known(returned, known)


def _check_known(names: Sequence[str], known: set[str]) -> None:
    if lost := sorted(set(names) - known):
        raise ModelError(f"the program uses {lost} before they are computed; it is damaged or made up")


def _look_up(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, _Value):
        return values[value.name]
    return [_look_up(item, values) for item in value] if isinstance(value, list) else value


def _store(node: _Node, found: Any, values: dict[str, Any]) -> None:
    """Name the results of a node: one, several, or a list."""
    if len(node.results) == 1 and isinstance(node.results[0], str):
        values[node.results[0]] = found
        return
    names = node.results[0] if isinstance(node.results[0], tuple) else node.results
    values.update(zip(names, found, strict=True))
