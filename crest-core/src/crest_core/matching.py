"""Matching: which export feeds which import, decided by what the fields are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from crest_core.clock import parse_timestep
from crest_core.component import Component
from crest_core.connection import Connection, Transform, compile_transforms
from crest_core.dictionary import Dictionary
from crest_core.errors import CouplingError
from crest_core.fields import FieldSpec, Quantity

if TYPE_CHECKING:
    from crest_core.grid import Regridder

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
        if self.target_spec.window > 1:
            notes.append(f"window of {self.target_spec.window} steps")
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
    return _Matcher(components, connections, dictionary).matched()


class _Matcher:
    def __init__(
        self, components: Mapping[str, Component], connections: Iterable[Connection], dictionary: Dictionary
    ) -> None:
        self.components, self.dictionary = components, dictionary
        self.exports = {Port(n, s.name): s for n, child in components.items() for s in child.outputs}
        self.imports = {Port(n, s.name): s for n, child in components.items() for s in child.inputs}
        self.explicit: dict[Port, Connection] = {}
        for connection in connections:
            target = self._port(connection, connection.target, self.imports)
            if connection.source_component != FORCING:
                self._port(connection, connection.source, self.exports)
            elif connection.lagged or connection.transforms or connection.regrid is not None:
                raise CouplingError(
                    f"{connection!r}: lagged, transforms and regrid are for values between components; prepare the "
                    f"forcing data, or put a component between them"
                )
            if connection.initial is not None and not connection.lagged and self.imports[target].window == 1:
                inner = self.components[target.component].history
                if target.field not in inner:
                    raise CouplingError(f"{connection!r}: initial= has no use without lagged=True or a window; drop it")
            if target in self.explicit:
                both = f"{self.explicit[target].source} and {connection.source}"
                raise CouplingError(f"{target} has 2 Connections, from {both}; keep one")
            self.explicit[target] = connection
        self.seconds = _common_timestep(components)

    def matched(self) -> Matched:
        links = []
        external: dict[Port, Connection | None] = {}
        for target, spec in self.imports.items():
            connection = self.explicit.get(target) or self._automatic(target, spec)
            if connection is None or connection.source_component == FORCING:
                external[target] = connection
                continue
            source = Port(*connection.source.split("."))
            self._check(connection, source, target)
            links.append(self._link(connection, source, self.exports[source], target))
        forcing, names = self._forcing(external)
        densities = {}
        for target, name in names.items():
            connection = Connection(f"{FORCING}.{name}", str(target))
            links.append(self._link(connection, Port(FORCING, name), forcing[name], target))
            asked = external[target]
            if asked is not None and asked.water_density is not None:
                densities[name] = asked.water_density
        near = {names[target]: text for target in external if (text := self._near(target))}
        return Matched(tuple(links), tuple(forcing.values()), near, densities)

    def _port(self, connection: Connection, text: str, known: Mapping[Port, FieldSpec]) -> Port:
        port = Port(*text.split("."))
        fields = [other.field for other in known if other.component == port.component]
        if port.component not in self.components:
            wrong, have = f"the graph has no component {port.component!r}", list(self.components)
        elif port not in known:
            side = "input" if known is self.imports else "output"
            wrong, have = f"{port.component} has no {side} {port.field!r}", fields
        else:
            return port
        close = get_close_matches(port.component if port.component not in self.components else port.field, have, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise CouplingError(f"{connection!r}: {wrong}; it has {', '.join(have) or 'none'}{hint}")

    def _quantity(self, spec: FieldSpec) -> Quantity:
        """Return the key of a field, with the name that carries no sign."""
        return spec.quantity._replace(standard_name=self.dictionary.resolve(spec.standard_name)[0])

    def _same(self, target: Port, by_name_only: bool = False) -> list[Port]:
        """Return the exports of other components that are the quantity of an import, or have just its name."""
        wanted = self._quantity(self.imports[target])
        if not wanted.standard_name:
            return []
        found = {p: self._quantity(s) for p, s in self.exports.items() if p.component != target.component}
        if by_name_only:
            return [port for port, got in found.items() if got.standard_name == wanted.standard_name]
        return [port for port, got in found.items() if got == wanted]

    def _automatic(self, target: Port, spec: FieldSpec) -> Connection | None:
        sources = self._same(target)
        if len(sources) > 1:
            listed = ", ".join(map(str, sources))
            raise CouplingError(
                f"{target} [{spec.standard_name}] has {len(sources)} sources ({listed}); add a Connection to choose one"
            )
        return Connection(str(sources[0]), str(target)) if sources else None

    def _near(self, target: Port) -> str:
        """Return the exports of the same name that differ in statistic or depth, in words."""
        same = [] if target in self.explicit else self._same(target, by_name_only=True)
        listed = ", ".join(f"{port} is {self.exports[port].describe()}" for port in same)
        return f"{target} wants {self.imports[target].describe()}, but {listed}" if same else ""

    def _check(self, connection: Connection, source: Port, target: Port) -> None:
        before, after = self.exports[source], self.imports[target]
        grids = [self.components[port.component].grid for port in (source, target)]
        unregridded = connection.regrid is None
        problems = {
            "one end is static and the other changes in time; connect two of one kind": before.static != after.static,
            f"{source.component} is on grid {grids[0]!r} and {target.component} on {grids[1]!r}; add a Connection with "
            f"regrid=": unregridded and grids[0] != grids[1],
            f"dims {before.dims} do not fit {after.dims}; export a field with these dims, or put a component between "
            f"them": unregridded and before.dims != after.dims,
            f"initial {connection.initial} is outside the bounds {before.bounds} of the source; look at its units, "
            f"{before.units!r}": before.bounds is not None
            and isinstance(connection.initial, int | float)
            and not before.bounds[0] <= connection.initial <= before.bounds[1],
            f"the window of {after.window} steps needs {after.window - 1} values before the first step; add a "
            f"Connection with initial=": after.window > 1 and connection.initial is None,
        }
        for text, wrong in problems.items():
            if wrong:
                raise CouplingError(f"{source} -> {target}: {text}")

    def _link(self, connection: Connection, source: Port, source_spec: FieldSpec, target: Port) -> Link:
        spec = self.imports[target]
        chain = compile_transforms(
            source_spec,
            spec,
            ends=f"{source} -> {target}",
            seconds=self.seconds,
            dictionary=self.dictionary,
            given=connection.transforms,
            water_density=connection.water_density,
        )
        first = () if connection.regrid is None else (connection.regrid,)
        return Link(source, target, source_spec, spec, connection.lagged, connection.initial, (*first, *chain))

    def _forcing(self, external: Mapping[Port, Connection | None]) -> tuple[dict[str, FieldSpec], dict[Port, str]]:
        """Return the forcing fields, one per quantity, and the name that each import reads."""
        groups: dict[tuple[object, ...], list[Port]] = {}
        asked = {port: c.source.partition(".")[2] if c is not None else "" for port, c in external.items()}
        for port in external:
            spec, grid = self.imports[port], self.components[port.component].grid
            same = self._quantity(spec) if spec.standard_name else spec.quantity._replace(standard_name=spec.name)
            sign = self.dictionary.resolve(spec.standard_name)[1]
            groups.setdefault((asked[port], same, spec.dims, spec.static, sign, grid), []).append(port)
        fields: dict[str, FieldSpec] = {}
        names: dict[Port, str] = {}
        for ports in sorted(groups.values(), key=lambda ports: not asked[ports[0]]):  # names asked for come first
            port, spec = ports[0], self.imports[ports[0]]
            one_name = len({port.field for port in ports}) == 1
            name = asked[port] or (spec.name if one_name else spec.standard_name)
            if name in fields and not asked[port]:
                name = f"{port.component}_{spec.name}"
            if name in fields:
                raise CouplingError(
                    f"forcing {name!r} would be both {fields[name].describe()} and, for {port}, {spec.describe()}; "
                    f"name one by a Connection from 'forcing.<name>'"
                )
            fields[name] = replace(spec, name=name, window=1)
            names |= dict.fromkeys(ports, name)
        return fields, names


def _common_timestep(components: Mapping[str, Component]) -> float:
    steps = {parse_timestep(child.timestep) for child in components.values()}
    if len(steps) > 1:
        listed = ", ".join(f"{name} {child.timestep}" for name, child in components.items())
        raise CouplingError(
            f"the components step with different timesteps ({listed}); mixed timesteps are not built: bring all to one"
        )
    return steps.pop().total_seconds()
