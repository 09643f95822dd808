"""Gradient report: for every path through a graph, whether its gradient is exact, estimated or blocked."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import product
from typing import TYPE_CHECKING

from crest_core.component import Component
from crest_core.matching import FORCING, Port
from crest_core.plan import reachable

if TYPE_CHECKING:
    from crest_core.graph import Graph

_STATUS = ("exact", "estimated", "partly blocked", "blocked")
_Node = str | Port
_Edges = set[tuple[_Node, _Node]]


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
        return next((path.status for path in self.paths if (path.origin, path.output) == (origin, output)), "")

    def __repr__(self) -> str:
        lines = ["Gradients", *(f"  {name}: {policy}" for name, policy in self.policies.items())]
        for status, origins, outputs, reason in self._groups():
            lines.append(f"  {status}: {origins} -> {outputs}" + (f"  (by {reason})" if reason else ""))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in group)}</tr>" for group in self._groups())
        return f"<table><tr><th>gradient</th><th>from</th><th>to</th><th>because of</th></tr>{rows}</table>"

    def _groups(self) -> list[tuple[str, str, str, str]]:
        """Return (status, origins, outputs, reason), exact ones first; origins that share the rest stand together."""
        everything = list(dict.fromkeys(path.output for path in self.paths))
        groups: dict[tuple[str, str, str], list[str]] = {}
        for status, origin in product(_STATUS, dict.fromkeys(path.origin for path in self.paths)):
            paths = [path for path in self.paths if (path.status, path.origin) == (status, origin)]
            if paths:
                outputs = [path.output for path in paths]
                text = f"all {len(outputs)} outputs" if outputs == everything else ", ".join(outputs)
                reason = ", ".join(dict.fromkeys(why for path in paths for why in path.through))
                groups.setdefault((status, text, reason), []).append(origin)
        return [(status, ", ".join(origins), text, reason) for (status, text, reason), origins in groups.items()]


def gradient_report(graph: Graph) -> GradientReport:
    """Return the report of a graph, with nested graphs opened down to their components."""
    policies: dict[str, str] = {}
    edges: _Edges = set()
    _open(graph, "", policies, edges)
    blocks = {name for name, policy in policies.items() if policy in ("none", "opaque")}
    exact = {name for name, policy in policies.items() if policy in ("autograd", "pullback")}
    estimates = set(policies) - blocks - exact
    origins: list[_Node] = [f"{name} parameters" for name in policies]
    origins += [Port(FORCING, spec.name) for spec in graph.inputs]
    ends = [Port("", spec.name) for spec in graph.outputs]
    unblocked = _between(origins, ends, {edge for edge in edges if blocks.isdisjoint(edge)})
    paths = []
    for (origin, end), on_way in _between(origins, ends, edges).items():
        alive = unblocked[origin, end]
        blocked, estimated = blocks & on_way, estimates & alive
        status = ("partly blocked" if alive else "blocked") if blocked else ("estimated" if estimated else "exact")
        because = tuple(f"{name} {policies[name]}" for name in sorted(blocked | estimated))
        if on_way:
            paths.append(GradientPath(str(origin), end.field, status, because))
    return GradientReport(policies, tuple(paths))


def _open(graph: Graph, prefix: str, policies: dict[str, str], edges: _Edges) -> None:
    """Collect leaf components and what leads where; the forcing of a nested graph is what its inputs receive."""
    for name, child in graph.components.items():
        path = prefix + name
        if isinstance(child, type(graph)):
            _open(child, f"{path}.", policies, edges)
            continue
        policies[path] = policy_of(child)
        edges |= {(f"{path} parameters", path) for _ in child.parameters()}
        edges |= {(Port(f"{path}.{FORCING}", spec.name), path) for spec in child.inputs}
        edges |= {(path, Port(path, spec.name)) for spec in child.outputs}
    for source, target in ((link.source, link.target) for link in graph.links):
        end = Port(f"{prefix}{target.component}.{FORCING}", target.field)
        edges.add((Port(prefix + source.component, source.field), end))
    for name, port in graph.output_ports.items():
        edges.add((Port(prefix + port.component, port.field), Port(prefix[:-1], name)))


def _between(starts: list[_Node], ends: list[Port], edges: _Edges) -> dict[tuple[_Node, Port], set[_Node]]:
    """Return all that lies on a way from a start to an end, for each two."""
    nodes = list(dict.fromkeys([*starts, *ends, *(node for edge in edges for node in edge)]))
    ahead = reachable(nodes, edges)
    ways = product(enumerate(starts), enumerate(ends, len(starts)))
    return {(a, b): {nodes[k] for k in (ahead[i] & ahead[:, j]).nonzero()[0]} for (i, a), (j, b) in ways}


def policy_of(child: Component) -> str:
    """Return the gradient policy as reports show it: a component that hides its state is "opaque"."""
    return "opaque" if child.opaque else child.gradient_policy
