"""Exchange: how values travel along links, as whole sequences or step by step inside a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.errors import ComponentError
from crest_core.matching import Link
from crest_core.plan import Block

Call = Callable[[Tensors, Tensors, Any], tuple[Tensors, Tensors]]
Nested = dict[str, Tensors]  # by component, then by field
Declared = tuple[frozenset[str], frozenset[str]]  # names of outputs and of states
_version = attrgetter("_version")  # torch's counter of changes in place
_MEMORY = ""  # what a lagged link reads from, as if it were one more component


def memory_key(link: Link, what: str) -> str:
    """Return the state name of what a link keeps: the "lag" that it hands over next, the "window" of earlier values."""
    return f"{link.target}.{what}"


def deliver(link: Link, values: Tensor, memory: Tensors) -> Tensor:
    """Return a whole sequence (time, ...) as the target receives it; `memory` is brought up to date."""
    if link.lagged:
        key = memory_key(link, "lag")
        before = memory[key].expand_as(values[0]).unsqueeze(0)
        memory[key] = values[-1]
        values = torch.cat([before, values[:-1]])
    values = link.apply(values)
    if link.window > 1:
        key = memory_key(link, "window")
        values = torch.cat([memory[key].expand(-1, *values.shape[1:]).to(values), values])
        memory[key] = values[1 - link.window :]
        values = values.unfold(0, link.window, 1).movedim(-1, 1)
    return values


def failed(where: str, error: Exception) -> ComponentError:
    """Return any error of a component, which is other people's code, with its name and time: "soil at 2001-01-31"."""
    kind = "" if isinstance(error, ComponentError) else f"{type(error).__name__}: "
    return ComponentError(f"component {where}: {kind}{error}")


def declared(component: Component) -> Declared:
    """Return the names of a component's outputs and of its states."""
    return frozenset(spec.name for spec in component.outputs), frozenset(spec.name for spec in component.states)


def checked(
    name: str, names: Declared, call: Call, state: Tensors, inputs: Tensors, time: Any
) -> tuple[Tensors, Tensors]:
    """Return what a call returns; ComponentError if it changed its arguments in place or returned undeclared names."""
    arguments = [*inputs.values(), *state.values()]
    before = sum(map(_version, arguments))
    outputs, new_state = call(state, inputs, time)
    if sum(map(_version, arguments)) != before:
        raise ComponentError(f"component {name} changed its inputs or state in place; compute new tensors instead")
    if outputs.keys() != names[0] or new_state.keys() != names[1]:
        both = (("outputs", names[0], outputs), ("states", names[1], new_state))
        word, expected, got = next(one for one in both if one[2].keys() != one[1])
        missing, extra = sorted(expected - got.keys()), sorted(got.keys() - expected)
        raise ComponentError(
            f"component {name}: expected the {word} {sorted(expected)}; missing {missing}, undeclared {extra}"
        )
    return outputs, new_state


def taped(component: Component, function: Call) -> Call:
    """Return the `step` or `sequence` of a component, taken off the tape where its gradient policy is none."""
    if component.gradient_policy != "none":
        return function

    def blocked(state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        with torch.no_grad():
            return function(state, inputs, time)

    return blocked


def run_loop(
    block: Block, components: dict[str, Component], given: Nested, states: Nested, memory: Tensors, times: Sequence[Any]
) -> Nested:
    """Return the outputs (time first) of components that step together; states and memory advance.

    `given` holds the sequences that `deliver` returns for links from outside the loop.
    """
    kept: dict[str, dict[str, list[Tensor]]] = {}
    nodes = []  # what the innermost loop needs of a component, looked up once
    for name in block.members:
        child, outside = components[name], given[name]
        kept[name] = {spec.name: [] for spec in child.outputs}
        static = {spec.name for spec in child.inputs if spec.static}
        series = [(k, (v,) * len(times) if k in static else v.unbind(0)) for k, v in outside.items()]
        reads = [_read(link) for link in block.inner if link.target.component == name]
        keeps = [(field, values.append) for field, values in kept[name].items()]
        nodes.append((name, child, taped(child, child.step), series, reads, keeps))
    lags = [(memory_key(link, "lag"), *link.source) for link in block.inner if link.lagged]
    current = {_MEMORY: memory}
    for index, time in enumerate(times):
        for name, child, call, series, reads, keeps in nodes:
            try:
                inputs = {}
                for field, values in series:
                    inputs[field] = values[index]
                for field, source, output, transform, window in reads:
                    value = current[source][output]
                    if transform is not None:
                        value = transform(value)
                    if window:
                        value = torch.cat([memory[window], value.unsqueeze(0)])
                        memory[window] = value[1:]
                    inputs[field] = value
                if index:
                    outputs, states[name] = call(states[name], inputs, time)
                else:
                    outputs, states[name] = checked(name, declared(child), call, states[name], inputs, time)
                current[name] = outputs
                for field, keep in keeps:
                    keep(outputs[field])
            except Exception as error:
                raise failed(f"{name} at {time}", error) from error
        for key, source, output in lags:
            memory[key] = current[source][output]
    return {name: {field: torch.stack(values) for field, values in fields.items()} for name, fields in kept.items()}


def _read(link: Link) -> tuple[str, str, str, Callable[[Tensor], Tensor] | None, str]:
    """Return (input, source component, source field, transform, window key) of a link inside a loop."""
    source, field = (_MEMORY, memory_key(link, "lag")) if link.lagged else link.source
    window = memory_key(link, "window") if link.window > 1 else ""
    return link.target.field, source, field, link.apply if link.transforms else None, window
