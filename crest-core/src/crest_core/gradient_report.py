"""Gradient report: for every path through a graph, whether its gradient is exact, estimated or blocked."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import product
from typing import TYPE_CHECKING

from crest_core.matching import FORCING, Port

if TYPE_CHECKING:
    from crest_core.graph import Graph

_EXACT = ("autograd", "pullback")
_STATUS = ("exact", "estimated", "partly blocked", "blocked")


@dataclass(frozen=True)
class GradientPath:
    """From forcing, or the parameters of a component, to an output; `through` names what is not exact on the way."""

    origin: str
    output: str
    status: str
    through: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class GradientReport:
    """The policy of every component, and all paths: exact, estimated, partly blocked or blocked."""

    policies: dict[str, str]
    paths: tuple[GradientPath, ...]

    def status(self, origin: str, output: str) -> str:
        """Return the status of a path, "" where there is none."""
        found = (path.status for path in self.paths if (path.origin, path.output) == (origin, output))
        return next(found, "")

    def __repr__(self) -> str:
        lines = ["Gradients", *(f"  {name}: {policy}" for name, policy in self.policies.items())]
        everything = list(dict.fromkeys(path.output for path in self.paths))
        groups: dict[tuple[str, str, str], list[str]] = {}
        for status, origin in product(_STATUS, dict.fromkeys(path.origin for path in self.paths)):
            paths = [path for path in self.paths if (path.status, path.origin) == (status, origin)]
            outputs = [path.output for path in paths]
            text = f"all {len(outputs)} outputs" if outputs == everything else ", ".join(outputs)
            reason = ", ".join(dict.fromkeys(why for path in paths for why in path.through))
            groups.setdefault((status, text, reason), []).extend([origin] * bool(paths))
        for (status, text, reason), origins in groups.items():
            if origins:
                because = f"  (by {reason})" if reason else ""
                lines.append(f"  {status}: {', '.join(origins)} -> {text}{because}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = ((p.origin, p.output, p.status, ", ".join(p.through)) for p in self.paths)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        return f"<table><tr><th>from</th><th>to</th><th>gradient</th><th>because of</th></tr>{rows}</table>"


class _Flat:
    """A graph with its nested graphs opened: policies of leaf components, edges, and where forcing enters."""

    def __init__(self) -> None:
        self.policies: dict[str, str] = {}
        self.trained: list[str] = []
        self.edges: set[tuple[str, str]] = set()
        self.entries: dict[str, set[str]] = {}


def gradient_report(graph: Graph) -> GradientReport:
    """Return the report of a graph, with nested graphs opened down to their components."""
    flat = _flatten(graph, "")
    origins = {f"{name} parameters": {name} for name in flat.trained}
    origins |= {f"{FORCING}.{name}": ends for name, ends in flat.entries.items()}
    ends = {name: _leaf_of(graph, port) for name, port in graph.output_ports.items()}
    found = [_path(start, origins[start], name, end, flat) for start in origins for name, end in ends.items()]
    return GradientReport(flat.policies, tuple(path for path in found if path is not None))


def _flatten(graph: Graph, prefix: str) -> _Flat:
    flat = _Flat()
    entries: dict[Port, set[str]] = {}
    for name, child in graph.components.items():
        if isinstance(child, type(graph)):
            inner = _flatten(child, f"{prefix}{name}.")
            flat.policies |= inner.policies
            flat.trained += inner.trained
            flat.edges |= inner.edges
            entries |= {Port(name, entry): ends for entry, ends in inner.entries.items()}
        else:
            flat.policies[f"{prefix}{name}"] = child.gradient_policy
            flat.trained += [f"{prefix}{name}"] * any(True for _ in child.parameters())
            entries |= {Port(name, spec.name): {f"{prefix}{name}"} for spec in child.inputs}
    for link in graph.links:
        if link.source.component == FORCING:
            flat.entries.setdefault(link.source.field, set()).update(entries[link.target])
        else:
            flat.edges |= {(f"{prefix}{_leaf_of(graph, link.source)}", end) for end in entries[link.target]}
    return flat


def _leaf_of(graph: Graph, port: Port) -> str:
    child = graph.components[port.component]
    if isinstance(child, type(graph)):
        return f"{port.component}.{_leaf_of(child, child.output_ports[port.field])}"
    return port.component


def _path(origin: str, starts: set[str], output: str, end: str, flat: _Flat) -> GradientPath | None:
    on_way = _between(starts, end, flat.edges)
    if not on_way:
        return None
    blocked = {name for name in on_way if flat.policies[name] == "none"}
    alive = _between(starts - blocked, end, {(a, b) for a, b in flat.edges if not {a, b} & blocked}) - blocked
    estimated = {name for name in alive if flat.policies[name] not in _EXACT}
    status = ("partly blocked" if alive else "blocked") if blocked else ("estimated" if estimated else "exact")
    because = tuple(f"{name} {flat.policies[name]}" for name in sorted(blocked | estimated))
    return GradientPath(origin, output, status, because)


def _between(starts: set[str], end: str, edges: set[tuple[str, str]]) -> set[str]:
    """Return every component on a path from one of `starts` to `end`."""

    def reach(seen: set[str], edges: set[tuple[str, str]]) -> set[str]:
        front = seen
        while front:
            front = {b for a, b in edges if a in front} - seen
            seen = seen | front
        return seen

    forward = reach(starts, edges)
    return forward & reach({end}, {(b, a) for a, b in edges}) if end in forward else set()
