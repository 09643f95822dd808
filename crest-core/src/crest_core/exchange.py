"""Exchange: how values travel along links, as whole sequences or step by step inside a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.errors import ComponentError
from crest_core.matching import Link, Port

Call = Callable[[Tensors, Tensors, Any], tuple[Tensors, Tensors]]


def lag_key(link: Link) -> str:
    """Return the state name of the value that a lagged link hands over next."""
    return f"{link.target}.lag"


def window_key(link: Link) -> str:
    """Return the state name of the earlier values of a link with a window."""
    return f"{link.target}.window"


def deliver(link: Link, values: Tensor, memory: Tensors) -> Tensor:
    """Return a whole sequence (time, ...) as the target receives it; `memory` is brought up to date."""
    if link.source_spec.static:
        return link.apply(values)
    if link.lagged:
        before = memory[lag_key(link)].expand_as(values[0]).unsqueeze(0)
        memory[lag_key(link)] = values[-1]
        values = torch.cat([before, values[:-1]])
    values = link.apply(values)
    if link.window > 1:
        before = memory[window_key(link)]
        values = torch.cat([before.expand(-1, *values.shape[1:]).to(values), values])
        memory[window_key(link)] = values[1 - link.window :]
        values = values.unfold(0, link.window, 1).movedim(-1, 1)
    return values


@contextmanager
def naming(name: Callable[[], str], when: Callable[[], Any]) -> Iterator[None]:
    """Turn any exception of a component into a ComponentError that names component and time.

    Components are other people's code, so that everything is caught here, as it is when plugins are loaded.
    """
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, ComponentError) else f"{type(error).__name__}: "
        raise ComponentError(f"component {name()} at {when()}: {kind}{error}") from error


def check_names(name: str, component: Component, outputs: Tensors, state: Tensors) -> None:
    """Raise ComponentError if a component did not return what it declares."""
    for word, specs, got in (("outputs", component.outputs, outputs), ("states", component.states, state)):
        declared = {spec.name for spec in specs}
        if declared != set(got):
            missing, extra = sorted(declared - set(got)), sorted(set(got) - declared)
            raise ComponentError(
                f"component {name}: expected the {word} {sorted(declared)}; missing {missing}, undeclared {extra}"
            )


def versions(*groups: Tensors) -> list[int]:
    """Return torch's counters of changes in place."""
    return [value._version for group in groups for value in group.values()]


def check_untouched(name: str, before: list[int], after: list[int]) -> None:
    """Raise ComponentError if a component changed its arguments, which others read too."""
    if before != after:
        raise ComponentError(f"component {name} changed its inputs or state in place; compute new tensors instead")


def call_of(component: Component, stepping: bool) -> Call:
    """Return `step` or `sequence`, taken off the tape where the gradient policy is none."""
    function = component.step if stepping else component.sequence
    if component.gradient_policy != "none":
        return function

    def blocked(state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        with torch.no_grad():
            return function(state, inputs, time)

    return blocked


_Inner = tuple[str, str, str, str, Callable[[Tensor], Tensor] | None, str]


class _Node(NamedTuple):
    """What the innermost loop needs of a component, looked up once: a tuple, because it is unpacked every step."""

    name: str
    call: Call
    static: Tensors
    series: list[tuple[str, tuple[Tensor, ...]]]
    inner: list[_Inner]
    """(input, source component, source field, lag key, transform, window key) of links inside the loop"""
    keep: list[tuple[str, Callable[[Tensor], None]]]
    """(output, append to what becomes its sequence)"""


def run_loop(
    members: Sequence[str],
    components: Mapping[str, Component],
    links: Iterable[Link],
    outside: Mapping[Port, Tensor],
    states: dict[str, Tensors],
    memory: Tensors,
    times: Sequence[Any],
) -> dict[str, Tensors]:
    """Return the outputs (time first) of components that step together; states and memory advance.

    `outside` holds, for every import fed from outside the loop, the sequence as `deliver` returns it.
    """
    links = tuple(links)
    kept: dict[str, dict[str, list[Tensor]]] = {
        name: {spec.name: [] for spec in components[name].outputs} for name in members
    }
    nodes = [_node(name, components[name], links, outside, kept[name]) for name in members]
    lags = [(lag_key(k), k.source.component, k.source.field) for k in links if k.lagged]
    current: dict[str, Tensors] = {}
    active, index = members[0], 0
    with naming(lambda: active, lambda: times[index]):
        for index, time in enumerate(times):
            for active, call, static, series, inner, keep in nodes:
                inputs = static.copy()
                for name, values in series:
                    inputs[name] = values[index]
                for name, source, field, lag, transform, window in inner:
                    value = memory[lag] if lag else current[source][field]
                    if transform is not None:
                        value = transform(value)
                    if window:
                        value = torch.cat([memory[window], value.unsqueeze(0)])
                        memory[window] = value[1:]
                    inputs[name] = value
                arguments = states[active]
                before = versions(inputs, arguments) if index == 0 else []
                outputs, states[active] = call(arguments, inputs, time)
                if index == 0:
                    check_untouched(active, before, versions(inputs, arguments))
                    check_names(active, components[active], outputs, states[active])
                current[active] = outputs
                for name, append in keep:
                    append(outputs[name])
            for lag, source, field in lags:
                memory[lag] = current[source][field]
    return {name: {field: torch.stack(values) for field, values in fields.items()} for name, fields in kept.items()}


def _node(
    name: str,
    component: Component,
    links: Sequence[Link],
    outside: Mapping[Port, Tensor],
    kept: Mapping[str, list[Tensor]],
) -> _Node:
    static: Tensors = {}
    series: list[tuple[str, tuple[Tensor, ...]]] = []
    for spec in component.inputs:
        port = Port(name, spec.name)
        if port not in outside:
            continue
        if spec.static:
            static[spec.name] = outside[port]
        else:
            series.append((spec.name, outside[port].unbind(0)))
    inner: list[_Inner] = [
        (
            link.target.field,
            link.source.component,
            link.source.field,
            lag_key(link) if link.lagged else "",
            link.apply if link.transforms else None,
            window_key(link) if link.window > 1 else "",
        )
        for link in links
        if link.target.component == name
    ]
    keep = [(field, values.append) for field, values in kept.items()]
    return _Node(name, call_of(component, stepping=True), static, series, inner, keep)
