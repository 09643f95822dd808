"""Graph: components joined by their fields; itself a component, so that graphs nest to any depth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from crest_core.blackbox import check_values
from crest_core.component import Component, SequenceComponent, Sizes, Tensors
from crest_core.connection import Connection
from crest_core.errors import ComponentError, CouplingError, StateError
from crest_core.exchange import Nested, checked, declared, deliver, failed, memory_key, run_loop, taped
from crest_core.gradient_report import GradientReport, gradient_report, policy_of
from crest_core.matching import FORCING, Link, Port, match
from crest_core.plan import Plan, plan_blocks
from crest_fields.dictionary import Dictionary, default_dictionary
from crest_fields.fields import FieldSpec
from crest_fields.grid import Grid


class Graph(SequenceComponent):
    """Couple components: fields meet by standard name, statistic and depth; a Connection overrides.

    Everything is checked here, while the graph is built. `grids` names the grids of components that are not on
    the grid of the run.

    >>> import torch
    >>> from crest_core.component import StepComponent
    >>> class Half(StepComponent):
    ...     inputs = (FieldSpec(name="rain", units="mm day-1"),)
    ...     outputs = (FieldSpec(name="runoff", units="mm day-1"),)
    ...     def step(self, state, inputs, time):
    ...         return {"runoff": inputs["rain"] / 2}, {}
    >>> graph = Graph({"hill": Half()})
    >>> graph({}, {"rain": torch.full((3, 1), 4.0)}, range(3))[0]["runoff"].flatten().tolist()
    [2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        components: Mapping[str, Component],
        connections: Iterable[Connection] = (),
        *,
        grids: Mapping[str, Grid] | None = None,
        dictionary: Dictionary | None = None,
    ) -> None:
        super().__init__()
        self.components, self.grids = dict(components), dict(grids or {})
        self.dictionary = dictionary or default_dictionary()
        if not components:
            raise CouplingError("a graph needs at least one component, got none")
        for name, child in components.items():
            self._check_child(name, child)
            self.add_module(f"component_{name}", child)
        self.dim_sizes, self.layers = self._merged("dim_sizes"), self._merged("layers")
        matched = match(components, connections, self.dictionary)
        self.links, self.inputs = matched.links, matched.forcing
        self.near, self.forcing_densities = matched.near, matched.densities
        outside = [link for link in self.links if link.source.component == FORCING]
        self.forcing_grids = {link.source.field: components[link.target.component].grid for link in outside}
        self.blocks = plan_blocks(tuple(components), self.links)
        exports = {Port(name, spec.name): spec for name, child in components.items() for spec in child.outputs}
        self.output_ports = _public_names(exports)
        self.outputs = tuple(replace(exports[port], name=name) for name, port in self.output_ports.items())
        self.timestep = next(iter(components.values())).timestep
        self.opaque = any(child.opaque for child in components.values())
        policies = {child.gradient_policy for child in components.values()}
        self.gradient_policy = policies.pop() if len(policies) == 1 else "mixed"
        self.states, self.history = self._memory()
        self._names, self._needed = declared(self)[1], frozenset(spec.name for spec in self.inputs)
        self._declared = {name: declared(child) for name, child in components.items()}
        self._series = tuple(spec.name for spec in self.inputs if not spec.static)
        self._keys = {
            name: tuple((spec.name, f"{name}.{spec.name}") for spec in one.states) for name, one in components.items()
        }
        self._coupler = self._names.difference(key for keys in self._keys.values() for _, key in keys)

    def plan(self) -> Plan:
        """Return blocks, order, links and gradient policies: print it, or call `mermaid`."""
        policies = {name: policy_of(child) for name, child in self.components.items()}
        return Plan(self.blocks, self.links, self.inputs, policies, self.timestep)

    def check_outputs(self, outputs: Tensors, times: Sequence[Any], sizes: Sizes) -> None:
        """Raise ComponentError where outputs (time, *lead, *dims) have not the declared shape or are not finite."""
        for spec in self.outputs:
            values, port = outputs[spec.name], self.output_ports[spec.name]
            expected = (len(times), *self._sizes(port.component, sizes).shape(spec))
            if tuple(values.shape) != expected or not values.is_floating_point():
                raise ComponentError(
                    f"component {port.component}: expected {port.field} as real numbers of shape {expected}, got "
                    f"{values.dtype} of shape {tuple(values.shape)}"
                )
            finite = torch.isfinite(values)
            if not bool(finite.all()):
                when = int((~finite).nonzero()[0, 0])
                try:
                    check_values(replace(spec, bounds=None), values[when], times[when])
                except ComponentError as error:
                    raise failed(f"{port.component} at {times[when]}", error) from error

    def extra_repr(self) -> str:
        """Return the plan, for print."""
        return str(self.plan())

    def gradient_report(self) -> GradientReport:
        """Return for every parameter set and forcing field how its gradient reaches every output."""
        return gradient_report(self)

    def _repr_html_(self) -> str:
        return self.plan()._repr_html_()

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the states of all components and the coupler's memory before the first step.

        Windows fed by forcing are nan until `prime` fills them.
        """
        state: Tensors = {}
        for name, child in self.components.items():
            own = child.initial_state(self._sizes(name, sizes))
            state |= {f"{name}.{key}": value for key, value in own.items()}
        for link in self.links:
            external = link.source.component == FORCING
            places = self._sizes((link.target if external else link.source).component, sizes)
            shape, initial = places.shape(link.source_spec), float("nan") if link.initial is None else link.initial
            start = torch.as_tensor(initial, dtype=sizes.dtype, device=sizes.device)
            try:
                start = start.expand(shape).clone()
            except RuntimeError:
                got = tuple(start.shape)
                raise StateError(f"initial of {link.source.field}: shape {got} does not expand to {shape}") from None
            if link.lagged:
                state[memory_key(link, "lag")] = start
            if link.window > 1 or not external:
                state |= self._before(state, link, start.expand(self._steps_before(link), *start.shape))
        return state

    def prime(self, state: Tensors, earlier: Tensors) -> Tensors:
        """Return the state with windows filled from earlier forcing, each (steps, *lead, *dims).

        `history` says how many steps each input needs; the last of them are used. Windows of other inputs stay.
        """
        state = dict(state)
        for link in self.links:
            if link.source.component == FORCING and link.source.field in earlier:
                state |= self._before(state, link, earlier[link.source.field])
        return state

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of T timesteps, block by block as planned."""
        if self._names != state.keys() or not self._needed <= inputs.keys():
            raise self._misfit(state, inputs)
        self._check_steps(inputs, len(times))
        memory, after = {key: state[key] for key in self._coupler}, {}
        produced: Nested = {FORCING: inputs}
        for block in self.blocks:
            given: Nested = {name: {} for name in block.members}
            for target, field, source, output, link in block.outer:
                values = produced[source][output]
                given[target][field] = values if link is None else deliver(link, values, memory)
            own = {name: {field: state[key] for field, key in self._keys[name]} for name in block.members}
            if block.loop:
                produced |= run_loop(block, self.components, given, own, memory, times)
            else:
                (name,) = block.members
                child = self.components[name]
                try:
                    call, names = taped(child, child.sequence), self._declared[name]
                    produced[name], own[name] = checked(name, names, call, own[name], given[name], times)
                except Exception as error:
                    raise failed(f"{name} at {times[0]} to {times[-1]}", error) from error
            for name in block.members:
                for field, key in self._keys[name]:
                    after[key] = own[name][field].contiguous()  # as a restart has it
        for key, value in memory.items():
            after[key] = value.clone()  # no view of whole sequences, nor of outputs
        return {name: produced[port.component][port.field] for name, port in self.output_ports.items()}, after

    def _check_child(self, name: str, child: Component) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or name == FORCING:
            raise CouplingError(f"component name {name!r}: expected [a-z][a-z0-9_]*, and not {FORCING!r}")
        static = [spec.name for spec in child.outputs if spec.static]
        if static:
            raise CouplingError(f"{name}.{static[0]} is a static output, which is not built yet; hand it in as forcing")
        if child.grid is not None and child.grid not in self.grids:
            raise CouplingError(
                f"component {name} is on grid {child.grid!r}, which the graph does not have; grids: "
                f"{', '.join(self.grids) or 'none'}; add it with grids="
            )

    def _merged(self, what: str) -> dict[str, Any]:
        """Return the sizes or layers of all components' own dims; a dim has one meaning in a graph."""
        merged: dict[str, tuple[str, Any]] = {}
        for name, child in self.components.items():
            for dim, value in getattr(child, what).items():
                other, known = merged.setdefault(dim, (name, value))
                if known != value:
                    raise CouplingError(f"dim {dim!r} is {known} in {other} and {value} in {name}; rename one")
        return {dim: value for dim, (_, value) in merged.items()}

    def _memory(self) -> tuple[tuple[FieldSpec, ...], dict[str, int]]:
        """Return the states, those of the coupler too, and the earlier steps of forcing that windows need."""
        states = [replace(s, name=f"{name}.{s.name}") for name, child in self.components.items() for s in child.states]
        history: dict[str, int] = {}
        for link in self.links:
            source, steps = link.source, self._steps_before(link)
            if link.lagged:
                states.append(replace(link.source_spec, name=memory_key(link, "lag"), window=1))
            if link.window > 1:
                dims = ("past", *link.target_spec.dims)
                states.append(replace(link.target_spec, name=memory_key(link, "window"), dims=dims, window=1))
            if steps and source.component == FORCING:
                history[source.field] = max(steps, history.get(source.field, 0))
            elif steps and link.initial is None:
                raise CouplingError(
                    f"{source} -> {link.target}: a window inside {link.target.component} needs {steps} values before "
                    f"the first step; add a Connection with initial="
                )
        twice = [name for name, count in Counter(spec.name for spec in states).items() if count > 1]
        if twice:
            raise CouplingError(f"the states {twice} are of a component and of the coupler; rename the field")
        return tuple(states), history

    def _steps_before(self, link: Link) -> int:
        """Return how many values before the first step a link needs, for its own window or one further inside."""
        return max(link.window - 1, self.components[link.target.component].history.get(link.target.field, 0))

    def _before(self, state: Tensors, link: Link, values: Tensor) -> Tensors:
        """Return the entries of the state that hold the last of `values` (steps, ...) before the first step."""
        steps, name = self._steps_before(link), link.target.component
        if not steps:
            return {}
        if len(values) < steps:
            raise StateError(
                f"{link.target} needs {steps} steps of {link.source.field} before the first one, got {len(values)}"
            )
        values = link.apply(values[len(values) - steps :])
        if link.window > 1:
            return {memory_key(link, "window"): values.clone()}
        own = {spec.name: state[f"{name}.{spec.name}"] for spec in self.components[name].states}
        primed = self.components[name].prime(own, {link.target.field: values})
        return {f"{name}.{key}": value for key, value in primed.items()}

    def _sizes(self, name: str, sizes: Sizes) -> Sizes:
        child = self.components[name]
        own = dict(self.grids[child.grid].sizes) if child.grid else {}
        return replace(sizes, dims={**sizes.dims, **own, **child.dim_sizes})

    def _check_steps(self, inputs: Tensors, steps: int) -> None:
        """Raise StateError where there is no step, or where forcing has more or fewer steps than there are times."""
        if not steps:
            raise StateError("the graph got no timesteps; give at least one time")
        for name in self._series:
            if not inputs[name].ndim or inputs[name].shape[0] != steps:
                got = f"{len(inputs[name])} steps" if inputs[name].dim() else "no time axis"
                raise StateError(
                    f"the graph got {steps} times, but the forcing {name} has {got}; cut them to one period"
                )

    def _misfit(self, state: Tensors, inputs: Tensors) -> StateError:
        """Return the error that says which names of state or forcing lack, or are unknown."""
        if self._names != state.keys():
            missing, unknown = sorted(self._names - state.keys()), sorted(state.keys() - self._names)
            return StateError(f"the state does not fit this graph: missing {missing}, unknown {unknown}")
        needed = [spec.name for spec in self.inputs]
        lacking = [name for name in needed if name not in inputs]
        hints = "; ".join(self.near[name] for name in lacking if name in self.near)
        return StateError(f"the graph needs the forcing {needed}; missing {lacking}. {hints}".rstrip(". "))


def _public_names(ports: Collection[Port]) -> dict[str, Port]:
    """Return the graph's output names: the field's own where it is unique, else component_field."""
    uses = Counter(port.field for port in ports)
    names: dict[str, Port] = {}
    for port in ports:
        name = port.field if uses[port.field] == 1 else f"{port.component}_{port.field}"
        other = names.setdefault(name, port)
        if other != port:
            raise CouplingError(f"the outputs {other} and {port} would both be called {name!r}; rename a component")
    return names
