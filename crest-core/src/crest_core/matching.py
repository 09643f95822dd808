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
        """Steps handed over to the target."""
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
            notes.append(f"lagged one step, initial {value} {self.source_spec.units}")
        return f"{self.source} -> {self.target}" + (f"  [{'; '.join(notes)}]" if notes else "")


@dataclass(frozen=True)
class Matched:
    """All links of a graph and the forcing that it needs."""

    links: tuple[Link, ...]
    forcing: tuple[FieldSpec, ...]
    near: Mapping[str, str]
    """For a forcing name, the exports that nearly fit and why they do not."""


def match(components: Mapping[str, Component], connections: Iterable[Connection], dictionary: Dictionary) -> Matched:
    """Return the links between components; imports without an export become forcing.

    Two fields are the same when standard name, statistic (minimum and maximum apart) and vertical range agree.
    An explicit Connection overrides. Raises CouplingError with candidates and near names.
    """
    explicit = _explicit(components, connections)
    exports = [(Port(name, spec.name), spec) for name, child in components.items() for spec in child.outputs]
    seconds = _common_timestep(components)
    links: list[Link] = []
    external: list[tuple[Port, FieldSpec, str]] = []  # import, spec, forcing name asked for
    near: dict[Port, str] = {}
    for name, child in components.items():
        for spec in child.inputs:
            target = Port(name, spec.name)
            connection = explicit.get(target)
            if connection is None:
                found = _candidates(target, spec, exports, dictionary)
                if len(found) > 1:
                    sources = ", ".join(str(port) for port, _ in found)
                    raise CouplingError(
                        f"{target} [{spec.standard_name}] has {len(found)} sources ({sources}); "
                        f"add a Connection to choose one"
                    )
                if not found:
                    external.append((target, spec, ""))
                    near[target] = _near(target, spec, exports, dictionary)
                    continue
                connection = Connection(str(found[0][0]), str(target))
            if connection.source_component == FORCING:
                external.append((target, spec, connection.source.partition(".")[2]))
                continue
            links.append(_link(connection, target, spec, components, dictionary, seconds))
    forcing, names = _forcing(external, dictionary)
    for target, spec, _ in external:
        source_spec = forcing[names[target]]
        links.append(
            _resolve(
                Connection(f"{FORCING}.{source_spec.name}", str(target)),
                Port(FORCING, source_spec.name),
                target,
                source_spec,
                spec,
                dictionary,
                seconds,
            )
        )
    hints = {names[port]: text for port, text in near.items() if text}
    return Matched(tuple(links), tuple(forcing.values()), hints)


def _explicit(components: Mapping[str, Component], connections: Iterable[Connection]) -> dict[Port, Connection]:
    found: dict[Port, Connection] = {}
    for connection in connections:
        target = Port(*connection.target.split("."))
        _spec(components, target, "inputs", connection)
        if connection.source_component != FORCING:
            _spec(components, Port(*connection.source.split(".")), "outputs", connection)
        if target in found:
            raise CouplingError(
                f"{target} has 2 Connections, from {found[target].source} and {connection.source}; keep one"
            )
        found[target] = connection
    return found


def _spec(components: Mapping[str, Component], port: Port, side: str, connection: Connection) -> FieldSpec:
    if port.component not in components:
        raise CouplingError(
            f"{connection!r}: the graph has no component {port.component!r}; it has "
            f"{', '.join(components)}{_suggest(port.component, components)}"
        )
    child = components[port.component]
    specs = {spec.name: spec for spec in (child.inputs if side == "inputs" else child.outputs)}
    if port.field not in specs:
        raise CouplingError(
            f"{connection!r}: {port.component} has no {side[:-1]} {port.field!r}; it has "
            f"{', '.join(specs) or 'none'}{_suggest(port.field, specs)}"
        )
    return specs[port.field]


def _suggest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _quantity(spec: FieldSpec, dictionary: Dictionary) -> Quantity:
    """Return the key of a field, with the name that carries no sign."""
    return spec.quantity._replace(standard_name=dictionary.resolve(spec.standard_name)[0])


def _candidates(
    target: Port,
    spec: FieldSpec,
    exports: list[tuple[Port, FieldSpec]],
    dictionary: Dictionary,
) -> list[tuple[Port, FieldSpec]]:
    if not spec.standard_name:
        return []
    wanted = _quantity(spec, dictionary)
    return [
        (port, export)
        for port, export in exports
        if port.component != target.component and export.standard_name and _quantity(export, dictionary) == wanted
    ]


def _near(
    target: Port,
    spec: FieldSpec,
    exports: list[tuple[Port, FieldSpec]],
    dictionary: Dictionary,
) -> str:
    """Return the exports of the same name that differ in statistic or depth, in words."""
    wanted = _quantity(spec, dictionary).standard_name
    same = [
        f"{port} is {export.describe()}"
        for port, export in exports
        if wanted and port.component != target.component and _quantity(export, dictionary).standard_name == wanted
    ]
    return f"{target} wants {spec.describe()}, but {', '.join(same)}" if same else ""


def _link(
    connection: Connection,
    target: Port,
    spec: FieldSpec,
    components: Mapping[str, Component],
    dictionary: Dictionary,
    seconds: float,
) -> Link:
    source = Port(*connection.source.split("."))
    source_spec = _spec(components, source, "outputs", connection)
    a, b = components[source.component], components[target.component]
    ends = f"{source} -> {target}"
    if source_spec.static != spec.static:
        raise CouplingError(f"{ends}: one end is static and the other changes in time")
    if a.grid != b.grid and connection.regrid is None:
        raise CouplingError(
            f"{ends}: {source.component} is on grid {a.grid!r} and {target.component} on {b.grid!r}; "
            f"add a Connection with regrid="
        )
    if connection.regrid is None and source_spec.dims != spec.dims:
        raise CouplingError(f"{ends}: dims {source_spec.dims} do not fit {spec.dims}; export a field with these dims")
    if spec.window > 1 and connection.initial is None:
        raise CouplingError(
            f"{ends}: the window of {spec.window} steps needs {spec.window - 1} values before the first step; "
            f"add a Connection with initial="
        )
    return _resolve(connection, source, target, source_spec, spec, dictionary, seconds)


def _resolve(
    connection: Connection,
    source: Port,
    target: Port,
    source_spec: FieldSpec,
    spec: FieldSpec,
    dictionary: Dictionary,
    seconds: float,
) -> Link:
    transforms = compile_transforms(
        source_spec,
        spec,
        ends=f"{source} -> {target}",
        seconds=seconds,
        dictionary=dictionary,
        given=connection.transforms,
        water_density=connection.water_density,
    )
    chain = (connection.regrid, *transforms) if connection.regrid is not None else transforms
    return Link(source, target, source_spec, spec, connection.lagged, connection.initial, chain)


def _common_timestep(components: Mapping[str, Component]) -> float:
    steps = {name: child.timestep for name, child in components.items()}
    lengths = {name: parse_timestep(text) for name, text in steps.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {text}" for name, text in steps.items())
        raise CouplingError(
            f"the components step with different timesteps ({listed}); "
            f"mixed timesteps are not built: bring all to one timestep"
        )
    return next(iter(lengths.values())).total_seconds()


def _forcing(
    external: list[tuple[Port, FieldSpec, str]], dictionary: Dictionary
) -> tuple[dict[str, FieldSpec], dict[Port, str]]:
    """Return the forcing fields, one per quantity, and the name that each import reads."""
    groups: dict[tuple[object, ...], list[tuple[Port, FieldSpec, str]]] = {}
    for port, spec, asked in external:
        same = _quantity(spec, dictionary) if spec.standard_name else spec.name
        key = (asked, same, spec.dims, spec.static, dictionary.resolve(spec.standard_name)[1])
        groups.setdefault(key, []).append((port, spec, asked))
    fields: dict[str, FieldSpec] = {}
    names: dict[Port, str] = {}
    for members in groups.values():
        port, spec, asked = members[0]
        shared = {member.name for _, member, _ in members}
        name = asked or (shared.pop() if len(shared) == 1 else spec.standard_name)
        if name in fields:
            name = f"{port.component}_{spec.name}"
        fields[name] = replace(spec, name=name, window=1)
        for member, _, _ in members:
            names[member] = name
    return fields, names
