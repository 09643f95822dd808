"""Graph: components joined by their fields; itself a component, so that graphs nest to any depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from crest_core.component import Component, Sizes, Tensors
from crest_core.connection import Connection
from crest_core.dictionary import Dictionary, default_dictionary
from crest_core.errors import CouplingError, StateError
from crest_core.exchange import call_of, check_names, deliver, lag_key, naming, run_loop, window_key
from crest_core.fields import FieldSpec
from crest_core.gradient_report import GradientReport, gradient_report
from crest_core.matching import FORCING, Link, Port, match
from crest_core.plan import Plan
from crest_core.planner import plan_blocks

if TYPE_CHECKING:
    from crest_core.grid import Grid


class Graph(Component):
    """Couple components: fields meet by standard name, statistic and depth; a Connection overrides.

    Everything is checked here, while the graph is built. `grids` names the grids of components that are not on
    the grid of the run.

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
        if not components:
            raise CouplingError("a graph needs at least one component, got none")
        self.components = dict(components)
        self.grids = dict(grids or {})
        for name, child in components.items():
            self._check_child(name, child)
            self.add_module(f"component_{name}", child)
        matched = match(components, connections, dictionary or default_dictionary())
        self.links, self.inputs, self.near = matched.links, matched.forcing, matched.near
        self.blocks = plan_blocks(tuple(components), self.links)
        self.dim_sizes = self._merged_dims()
        self.output_ports = _public_names(components)
        self.outputs = tuple(replace(_export(components, port), name=name) for name, port in self.output_ports.items())
        self.timestep = next(iter(components.values())).timestep
        self.states = tuple(self._state_specs())
        self.history = self._needed_history()

    @property
    def opaque(self) -> bool:
        """Return whether any component hides its state."""
        return any(child.opaque for child in self.components.values())

    @property
    def gradient_policy(self) -> str:
        """Return the policy of all components, or "mixed"."""
        policies = {child.gradient_policy for child in self.components.values()}
        return policies.pop() if len(policies) == 1 else "mixed"

    def plan(self) -> Plan:
        """Return blocks, order, links and gradient policies; print it, or call `draw` or `mermaid`."""
        policies = {name: child.gradient_policy for name, child in self.components.items()}
        return Plan(self.blocks, self.links, self.inputs, policies, self.timestep)

    def gradient_report(self) -> GradientReport:
        """Return for every parameter set and forcing field how its gradient reaches every output."""
        return gradient_report(self)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the states of all components and the coupler's memory before the first step.

        Windows fed by forcing are nan until `prime` fills them.
        """
        state: Tensors = {}
        for name, child in self.components.items():
            for key, value in child.initial_state(self._sizes(child, sizes)).items():
                state[f"{name}.{key}"] = value
        for link in self.links:
            own = self._sizes(self.components[link.target.component], sizes)
            start = float("nan") if link.initial is None else link.initial
            if link.lagged:
                source = self._sizes(self.components[link.source.component], sizes)
                state[lag_key(link)] = _filled(source, link.source_spec, start)
            if link.window > 1:
                value = link.apply(_filled(own, link.source_spec, start))
                state[window_key(link)] = value.expand(link.window - 1, *value.shape).clone()
        for link in self._inner_history():
            steps = self.components[link.target.component].history[link.target.field]
            value = link.apply(_filled(sizes, link.source_spec, link.initial or 0.0))
            self._prime_child(state, link, value.expand(steps, *value.shape))
        return state

    def prime(self, state: Tensors, earlier: Tensors) -> Tensors:
        """Return the state with windows filled from earlier forcing, each (steps, *lead, *dims).

        `history` says how many steps each input needs; the last of them are used. Windows of other inputs stay.
        """
        state = dict(state)
        for link in self.links:
            if link.source.component != FORCING or link.source_spec.static:
                continue
            child = self.components[link.target.component]
            steps = max(link.window - 1, child.history.get(link.target.field, 0))
            if steps == 0:
                continue
            values = earlier.get(link.source.field)
            if values is None:
                continue
            if len(values) < steps:
                raise StateError(
                    f"{link.target} needs {steps} steps of {link.source.field} before the first one, got {len(values)}"
                )
            values = link.apply(values[len(values) - steps :])
            if link.window > 1:
                state[window_key(link)] = values
            else:
                self._prime_child(state, link, values)
        return state

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one timestep: a sequence of length 1."""
        static = {spec.name for spec in self.inputs if spec.static}
        batch = {name: value if name in static else value.unsqueeze(0) for name, value in inputs.items()}
        outputs, state = self.sequence(state, batch, [time])
        return {name: value[0] for name, value in outputs.items()}, state

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of T timesteps, block by block as planned."""
        states, memory = self._split(state)
        produced: dict[str, Tensors] = {FORCING: self._checked(inputs)}
        for block in self.blocks:
            outside, inner = {}, []
            for link in self.links:
                if link.target.component not in block.members:
                    continue
                if block.loop and link.source.component in block.members:
                    inner.append(link)
                    continue
                values = produced[link.source.component][link.source.field]
                outside[link.target] = deliver(link, values, memory)
            if block.loop:
                produced |= run_loop(block.members, self.components, inner, outside, states, memory, times)
                continue
            (name,) = block.members
            child = self.components[name]
            arguments = {port.field: value for port, value in outside.items()}
            with naming(lambda name=name: name, lambda: f"{times[0]} to {times[-1]}"):
                call = call_of(child, stepping=False)
                produced[name], states[name] = call(states[name], arguments, times)
            check_names(name, child, produced[name], states[name])
        outputs = {name: produced[port.component][port.field] for name, port in self.output_ports.items()}
        for name, own in states.items():
            memory |= {f"{name}.{key}": value for key, value in own.items()}
        return outputs, memory

    def _check_child(self, name: str, child: Component) -> None:
        if not name.isidentifier() or name != name.lower() or name == FORCING:
            raise CouplingError(f"component name {name!r}: expected [a-z][a-z0-9_]*, and not {FORCING!r}")
        if child.grid is not None and child.grid not in self.grids:
            raise CouplingError(
                f"component {name} is on grid {child.grid!r}, which the graph does not have; "
                f"grids: {', '.join(self.grids) or 'none'}; add it with grids="
            )

    def _merged_dims(self) -> dict[str, int]:
        merged: dict[str, tuple[str, int]] = {}
        for name, child in self.components.items():
            for dim, size in child.dim_sizes.items():
                other, known = merged.setdefault(dim, (name, size))
                if known != size:
                    raise CouplingError(f"dim {dim!r} has size {known} in {other} and {size} in {name}; rename one")
        return {dim: size for dim, (_, size) in merged.items()}

    def _state_specs(self) -> Iterable[FieldSpec]:
        for name, child in self.components.items():
            for spec in child.states:
                yield replace(spec, name=f"{name}.{spec.name}")
        for link in self.links:
            if link.lagged:
                yield replace(link.source_spec, name=lag_key(link), window=1)
            if link.window > 1:
                dims = ("past", *link.target_spec.dims)
                yield replace(link.target_spec, name=window_key(link), dims=dims, window=1)

    def _needed_history(self) -> dict[str, int]:
        """Return the steps of forcing before the first that windows need, by forcing name."""
        needed: dict[str, int] = {}
        for link in self.links:
            child = self.components[link.target.component]
            steps = max(link.window - 1, child.history.get(link.target.field, 0))
            if link.source.component == FORCING and steps:
                needed[link.source.field] = max(steps, needed.get(link.source.field, 0))
            elif link.source.component != FORCING and steps and link.initial is None:
                raise CouplingError(
                    f"{link.source} -> {link.target}: a window inside {link.target.component} needs {steps} "
                    f"values before the first step; add a Connection with initial="
                )
        return needed

    def _inner_history(self) -> list[Link]:
        return [
            link
            for link in self.links
            if link.source.component != FORCING and link.target.field in self.components[link.target.component].history
        ]

    def _prime_child(self, state: Tensors, link: Link, values: Tensor) -> None:
        name = link.target.component
        own = {key: state[f"{name}.{key}"] for key in self._state_names(name)}
        primed = self.components[name].prime(own, {link.target.field: values})
        for key, value in primed.items():
            state[f"{name}.{key}"] = value

    def _state_names(self, name: str) -> list[str]:
        return [spec.name for spec in self.components[name].states]

    def _sizes(self, child: Component, sizes: Sizes) -> Sizes:
        own = dict(self.grids[child.grid].sizes) if child.grid else {}
        return replace(sizes, dims={**sizes.dims, **own, **child.dim_sizes})

    def _split(self, state: Tensors) -> tuple[dict[str, Tensors], Tensors]:
        """Return the states by component, and the coupler's own memory."""
        declared = {spec.name for spec in self.states}
        if declared != set(state):
            raise StateError(
                f"the state does not fit this graph: missing {sorted(declared - set(state))}, "
                f"unknown {sorted(set(state) - declared)}"
            )
        memory = dict(state)
        states = {
            name: {key: memory.pop(f"{name}.{key}") for key in self._state_names(name)} for name in self.components
        }
        return states, memory

    def _checked(self, inputs: Tensors) -> Tensors:
        declared = {spec.name for spec in self.inputs}
        if declared - set(inputs):
            missing = sorted(declared - set(inputs))
            hints = "; ".join(self.near[name] for name in missing if name in self.near)
            raise StateError(
                f"the graph needs the forcing {sorted(declared)}; missing {missing}" + (f". {hints}" if hints else "")
            )
        return inputs


def _export(components: Mapping[str, Component], port: Port) -> FieldSpec:
    return next(s for s in components[port.component].outputs if s.name == port.field)


def _public_names(components: Mapping[str, Component]) -> dict[str, Port]:
    """Return the graph's output names: the field's own where it is unique, else component_field."""
    ports = [Port(name, spec.name) for name, child in components.items() for spec in child.outputs]
    fields = [port.field for port in ports]
    return {port.field if fields.count(port.field) == 1 else f"{port.component}_{port.field}": port for port in ports}


def _filled(sizes: Sizes, spec: FieldSpec, value: float | Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value.to(sizes.full(spec, 0.0)).expand(sizes.shape(spec)).clone()
    return sizes.full(spec, value)
