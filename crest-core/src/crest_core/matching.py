"""Matching: which export feeds which import, decided by what the fields are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from torch import Tensor

from crest_core.component import Component
from crest_core.connection import Connection, Regridder, Transform, compile_transforms
from crest_core.errors import CouplingError
from crest_fields.clock import parse_timestep
from crest_fields.dictionary import Dictionary
from crest_fields.errors import near
from crest_fields.fields import FieldSpec, Quantity

FORCING = "forcing"


class Port(NamedTuple):
    """A field of a component, or of the forcing."""

    component: str
    field: str

    def __str__(self) -> str:
        return f"{self.component}.{self.field}"


@dataclass(frozen=True)
class Link:
    """A resolved connection: source, target, lag and the compiled transforms."""

    source: Port
    target: Port
    source_spec: FieldSpec
    target_spec: FieldSpec
    lagged: bool = False
    initial: float | Tensor | None = None
    transforms: tuple[Transform | Regridder, ...] = ()

    @property
    def plain(self) -> bool:
        """True if the target receives the values as they are."""
        return not (self.lagged or self.transforms or self.window > 1)

    @property
    def window(self) -> int:
        """Return how many steps the target receives."""
        return self.target_spec.window

    def apply(self, values: Tensor) -> Tensor:
        """Return the values after all transforms."""
        for transform in self.transforms:
            values = transform(values)
        return values

    def describe(self) -> str:
        """Return "source -> target" with transforms, time meaning and lag."""
        notes = [transform.describe() for transform in self.transforms]
        before, after = self.source_spec.statistic, self.target_spec.statistic
        if before != after and not self.source_spec.static:
            notes.append(f"time: {before} -> {after}")
        if self.window > 1:
            notes.append(f"window of {self.window} steps")
        if self.lagged:
            value = "tensor" if isinstance(self.initial, Tensor) else f"{self.initial:g}"
            notes.append(f"lagged one step, initial {value} {self.source_spec.units}".removesuffix(" 1"))
        return f"{self.source} -> {self.target}" + (f"  [{'; '.join(notes)}]" if notes else "")


@dataclass(frozen=True)
class Matched:
    """All links of a graph, the forcing that it needs; by forcing name, exports that nearly fit and water densities."""

    links: tuple[Link, ...]
    forcing: tuple[FieldSpec, ...]
    near: Mapping[str, str]
    densities: Mapping[str, float]


def match(components: Mapping[str, Component], connections: Iterable[Connection], dictionary: Dictionary) -> Matched:
    """Return the links between components; imports without an export become forcing.

    Two fields are the same when standard name, statistic (minimum and maximum apart) and vertical range agree.
    An explicit Connection overrides. Raises CouplingError with candidates and near names.
    """
    steps = {parse_timestep(child.timestep) for child in components.values()}
    if len(steps) > 1:
        listed = ", ".join(f"{name} {child.timestep}" for name, child in components.items())
        raise CouplingError(
            f"the components step with different timesteps ({listed}); mixed timesteps are not built: bring all to one"
        )
    return _Matcher(components, dictionary, steps.pop().total_seconds()).matched(connections)


class _Matcher:
    def __init__(self, components: Mapping[str, Component], dictionary: Dictionary, seconds: float) -> None:
        self.components, self.dictionary = components, dictionary
        self.chain = partial(compile_transforms, seconds=seconds, dictionary=dictionary)
        self.exports = {Port(n, s.name): s for n, child in components.items() for s in child.outputs}
        self.imports = {Port(n, s.name): s for n, child in components.items() for s in child.inputs}
        self.near: dict[Port, str] = {}

    def matched(self, connections: Iterable[Connection]) -> Matched:
        explicit: dict[Port, Connection] = {}
        for connection in connections:
            target = self._port(connection, connection.target, self.imports)
            if connection.source_component != FORCING:
                self._port(connection, connection.source, self.exports)
            elif connection.lagged or connection.transforms or connection.regrid is not None:
                raise CouplingError(
                    f"{connection!r}: lagged, transforms and regrid are for values between components; prepare the "
                    f"forcing data, or put a component between them"
                )
            windowed = self.imports[target].window > 1 or target.field in self.components[target.component].history
            if connection.initial is not None and not connection.lagged and not windowed:
                raise CouplingError(f"{connection!r}: initial= has no use without lagged=True or a window; drop it")
            if target in explicit:
                both = f"{explicit[target].source} and {connection.source}"
                raise CouplingError(f"{target} has 2 Connections, from {both}; keep one")
            explicit[target] = connection
        chosen = {target: explicit.get(target) or self._automatic(target) for target in self.imports}
        external = {target: c for target, c in chosen.items() if c.source_component == FORCING}
        links = [self._link(connection) for target, connection in chosen.items() if target not in external]
        forcing, names = self._forcing(external)
        self.exports |= {Port(FORCING, name): spec for name, spec in forcing.items()}
        links += [self._link(Connection(f"{FORCING}.{name}", str(target))) for target, name in names.items()]
        near_names = {names[target]: text for target, text in self.near.items()}
        densities = {name: density for port, name in names.items() if (density := external[port].water_density)}
        return Matched(tuple(links), tuple(forcing.values()), near_names, densities)

    def _port(self, connection: Connection, text: str, known: Mapping[Port, FieldSpec]) -> Port:
        port = Port(*text.split("."))
        if port in known:
            return port
        if port.component in self.components:
            side = "input" if known is self.imports else "output"
            name, have = port.field, [other.field for other in known if other.component == port.component]
            wrong = f"{port.component} has no {side} {name!r}"
        else:
            name, have = port.component, [*self.components]
            wrong = f"the graph has no component {name!r}"
        raise CouplingError(f"{connection!r}: {wrong}; it has {', '.join(have) or 'none'}{near(name, have)}")

    def _quantity(self, spec: FieldSpec) -> Quantity:
        """Return the key of a field, with the name that carries no sign."""
        return spec.quantity._replace(standard_name=self.dictionary.resolve(spec.standard_name)[0])

    def _automatic(self, target: Port) -> Connection:
        """Return the Connection to an import that none was given for; exports that nearly fit are put down."""
        spec = self.imports[target]
        wanted = self._quantity(spec)
        others = {p: self._quantity(s) for p, s in self.exports.items() if p.component != target.component}
        named = [p for p, quantity in others.items() if spec.standard_name and quantity[0] == wanted[0]]
        same = [port for port in named if others[port] == wanted]
        if len(same) > 1:
            listed = ", ".join(map(str, same))
            raise CouplingError(
                f"{target} [{spec.standard_name}] has {len(same)} sources ({listed}); add a Connection to choose one"
            )
        if named and not same:
            listed = ", ".join(f"{port} is {self.exports[port].describe()}" for port in named)
            self.near[target] = f"{target} wants {spec.describe()}, but {listed}"
        return Connection(str(same[0]) if same else FORCING, str(target))

    def _link(self, connection: Connection) -> Link:
        source, target = Port(*connection.source.split(".")), Port(*connection.target.split("."))
        before, after, ends = self.exports[source], self.imports[target], f"{source} -> {target}"
        if source.component != FORCING:
            self._check(connection, source, target)
        given, density, regrid = connection.transforms, connection.water_density, connection.regrid
        chain = self.chain(before, after, ends=ends, given=given, water_density=density)
        first = () if regrid is None else (regrid,)
        return Link(source, target, before, after, connection.lagged, connection.initial, (*first, *chain))

    def _check(self, connection: Connection, source: Port, target: Port) -> None:
        before, after = self.exports[source], self.imports[target]
        initial, bounds = connection.initial, before.bounds
        outside = bounds and isinstance(initial, int | float) and not bounds[0] <= initial <= bounds[1]
        grids = [self.components[port.component].grid for port in (source, target)]
        problems = {
            "one end is static and the other changes in time; connect two of one kind": before.static != after.static,
            f"{source.component} is on grid {grids[0]!r} and {target.component} on {grids[1]!r}; add a Connection with "
            f"regrid=": connection.regrid is None and grids[0] != grids[1],
            f"dims {before.dims} do not fit {after.dims}; export a field with these dims, or put a component between "
            f"them": connection.regrid is None and before.dims != after.dims,
            f"initial {initial} is outside the bounds {bounds} of the source; look at its units, "
            f"{before.units!r}": outside,
            f"the window of {after.window} steps needs {after.window - 1} values before the first step; add a "
            f"Connection with initial=": after.window > 1 and initial is None,
        }
        for text, wrong in problems.items():
            if wrong:
                raise CouplingError(f"{source} -> {target}: {text}")

    def _forcing(self, external: Mapping[Port, Connection]) -> tuple[dict[str, FieldSpec], dict[Port, str]]:
        """Return the forcing fields, one per quantity, and the name that each import reads."""
        groups: dict[tuple[object, ...], list[Port]] = {}
        asked = {port: connection.source.partition(".")[2] for port, connection in external.items()}
        for port in sorted(external, key=lambda port: not asked[port]):  # names asked for come first
            spec, grid = self.imports[port], self.components[port.component].grid
            same = self._quantity(spec) if spec.standard_name else spec.quantity._replace(standard_name=spec.name)
            sign = self.dictionary.resolve(spec.standard_name)[1]
            groups.setdefault((asked[port], same, spec.dims, spec.static, sign, grid), []).append(port)
        fields: dict[str, FieldSpec] = {}
        names: dict[Port, str] = {}
        for ports in groups.values():
            port, spec = ports[0], self.imports[ports[0]]
            name = asked[port] or (spec.name if len({p.field for p in ports}) == 1 else spec.standard_name)
            if name in fields and not asked[port]:
                name = f"{port.component}_{spec.name}"
            if name in fields:
                raise CouplingError(
                    f"forcing {name!r} would be both {fields[name].describe()} and, for {port}, {spec.describe()}; "
                    f"name one by a Connection from 'forcing.<name>'"
                )
            gaps = all(self.imports[port].gaps for port in ports)
            fields[name] = replace(spec, name=name, window=1, gaps=gaps)
            names |= dict.fromkeys(ports, name)
        return fields, names
