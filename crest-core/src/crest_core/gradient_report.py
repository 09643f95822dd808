"""Gradient report: for every path through a graph, whether its gradient is exact, estimated or blocked."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from crest_core.matching import FORCING, Port

if TYPE_CHECKING:
    from crest_core.component import Component
    from crest_core.graph import Graph

_EXACT = {"autograd", "pullback"}
_WORST_LAST = ("exact", "estimated", "partly blocked", "blocked")


@dataclass(frozen=True)
class GradientPath:
    """From forcing or the parameters of a component to an output of the graph."""

    origin: str
    output: str
    status: str
    through: tuple[str, ...]
    """The components, with their policies, that make the gradient estimated or blocked."""


@dataclass(frozen=True)
class GradientReport:
    """All paths, and the policy of every component."""

    policies: dict[str, str]
    paths: tuple[GradientPath, ...]

    def status(self, origin: str, output: str) -> str:
        """Return exact, estimated, partly blocked or blocked; "" where there is no path."""
        for path in self.paths:
            if (path.origin, path.output) == (origin, output):
                return path.status
        return ""

    def __str__(self) -> str:
        lines = ["Gradients"]
        lines += [f"  {name}: {policy}" for name, policy in self.policies.items()]
        for status in _WORST_LAST:
            chosen = [path for path in self.paths if path.status == status]
            for origin in dict.fromkeys(path.origin for path in chosen):
                mine = [path for path in chosen if path.origin == origin]
                reason = ", ".join(dict.fromkeys(why for path in mine for why in path.through))
                outputs = ", ".join(path.output for path in mine)
                lines.append(f"  {status}: {origin} -> {outputs}" + (f"  (by {reason})" if reason else ""))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(p.origin)}</td><td>{escape(p.output)}</td><td>{p.status}</td>"
            f"<td>{escape(', '.join(p.through))}</td></tr>"
            for p in self.paths
        )
        return f"<table><tr><th>from</th><th>to</th><th>gradient</th><th>because of</th></tr>{rows}</table>"


def gradient_report(graph: Graph) -> GradientReport:
    """Return the report of a graph, with nested graphs opened down to their components."""
    leaves, edges, sources = _flatten(graph, "")
    policies = {name: child.gradient_policy for name, child in leaves.items()}
    origins: dict[str, set[str]] = {}
    for name, child in leaves.items():
        if any(True for _ in child.parameters()):
            origins[f"{name} parameters"] = {name}
    for port, targets in sources.items():
        origins[f"{FORCING}.{port}"] = targets
    ends = {name: _leaf_of(graph, port) for name, port in graph.output_ports.items()}
    paths = []
    for origin, starts in origins.items():
        for output, end in ends.items():
            path = _path(origin, starts, output, end, edges, policies)
            if path is not None:
                paths.append(path)
    return GradientReport(policies, tuple(paths))


def _flatten(graph: Graph, prefix: str) -> tuple[dict[str, Component], set[tuple[str, str]], dict[str, set[str]]]:
    """Return leaf components, edges between them, and for every forcing field the leaves it enters."""
    from crest_core.graph import Graph

    leaves: dict[str, Component] = {}
    edges: set[tuple[str, str]] = set()
    entries: dict[Port, set[str]] = {}
    for name, child in graph.components.items():
        if isinstance(child, Graph):  # our own class, opened here
            inner, inner_edges, inner_sources = _flatten(child, f"{prefix}{name}.")
            leaves |= inner
            edges |= inner_edges
            entries |= {Port(name, field): ends for field, ends in inner_sources.items()}
        else:
            leaves[f"{prefix}{name}"] = child
            entries |= {Port(name, spec.name): {f"{prefix}{name}"} for spec in child.inputs}
    sources: dict[str, set[str]] = {}
    for link in graph.links:
        targets = entries.get(link.target, set())
        if link.source.component == FORCING:
            sources.setdefault(link.source.field, set()).update(targets)
        else:
            start = f"{prefix}{_leaf_of(graph, link.source)}"
            edges |= {(start, target) for target in targets}
    return leaves, edges, sources


def _leaf_of(graph: Graph, port: Port) -> str:
    from crest_core.graph import Graph

    child = graph.components[port.component]
    if isinstance(child, Graph):
        return f"{port.component}.{_leaf_of(child, child.output_ports[port.field])}"
    return port.component


def _path(
    origin: str,
    starts: set[str],
    output: str,
    end: str,
    edges: set[tuple[str, str]],
    policies: dict[str, str],
) -> GradientPath | None:
    on_way = _between(starts, end, edges)
    if not on_way:
        return None
    blocked = {name for name in on_way if policies[name] == "none"}
    open_edges = {(a, b) for a, b in edges if not {a, b} & blocked}
    alive = set() if end in blocked else _between(starts - blocked, end, open_edges)
    estimated = {name for name in alive if policies[name] not in _EXACT}
    if blocked:
        status = "partly blocked" if alive else "blocked"
    else:
        status = "estimated" if estimated else "exact"
    because = sorted(blocked | estimated)
    return GradientPath(origin, output, status, tuple(f"{n} {policies[n]}" for n in because))


def _between(starts: set[str], end: str, edges: set[tuple[str, str]]) -> set[str]:
    """Return every component on a path from one of `starts` to `end`."""
    forward = _reach(starts, edges)
    backward = _reach({end}, {(b, a) for a, b in edges})
    return forward & backward if end in forward else set()


def _reach(starts: set[str], edges: set[tuple[str, str]]) -> set[str]:
    seen, front = set(starts), set(starts)
    while front:
        front = {b for a, b in edges if a in front} - seen
        seen |= front
    return seen
