"""Edges: slopes where rain is zero and stores are empty, by the backward pass and by steps to one side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite, nan

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.testing.slopes import NOTHING, Slopes
from crest_core.testing.subject import Subject
from crest_core.testing.synthetic import INTERMITTENT
from crest_fields.fields import FieldSpec

WIDTHS = (1e-3, 1e-5, 1e-7)
"""Of the usual size of a value; a constant ratio, by which a limit can be told from three steps."""
PLACES = 3
"""Values of a field that are moved, each alone: where two stores are empty, slopes need not add up."""


@dataclass(frozen=True)
class Edge:
    """How the sum of one result answers to one value at its lower bound; `outside` is the slope beyond the bound.

    `inside` and `outside` are the one-sided differences that agree best, nan where there are none.
    """

    value: str
    result: str
    backward: float
    inside: float
    outside: float
    agrees: bool

    @property
    def kink(self) -> bool:
        """True if the backward pass gives something from the slope on one side to that on the other."""
        low, high = sorted((self.inside, self.outside))
        room = 1e-3 * max(abs(low), abs(high))
        return isfinite(self.outside) and low - room <= self.backward <= high + room

    def __str__(self) -> str:
        beyond = f", {self.outside:.4g} below" if isfinite(self.outside) else ""
        return f"{self.result} by {self.value}: backward gives {self.backward:.4g}, steps up {self.inside:.4g}{beyond}"


def dry_edges(subject: Subject, component: Component, limit: float) -> Iterator[Edge]:
    """Give the edges of one step without rain and with empty stores; all else is plausible.

    Rain is what the dictionary knows as such, and a store is empty at a lower bound of 0.
    """
    case = subject.case(1, component=component, smooth=True, spin_up=3, cell=3, y=4, x=4)
    rain = [spec for spec in component.inputs if _falls(subject, spec)]
    stores = [spec for spec in component.states if spec.bounds and spec.bounds[0] == 0.0]
    sizes = {("inputs", spec.name): _size(spec, case.inputs[spec.name]) for spec in rain}
    sizes |= {("state", spec.name): _size(spec, case.state[spec.name]) for spec in stores}
    dry = replace(case, inputs=_zeroed(case.inputs, rain), state=_zeroed(case.state, stores))
    slopes = Slopes(subject, component, case=dry)
    leaves = {
        key: leaf
        for key, leaf in ((key, (slopes.inputs if key[0] == "inputs" else slopes.state)[key[1]]) for key in sizes)
        if leaf.requires_grad and leaf.numel()
    }
    generator = torch.Generator().manual_seed(subject.seed)
    gradients = _gradients(slopes, list(leaves.values()))
    for number, (key, leaf) in enumerate(leaves.items()):
        for place in torch.randperm(leaf.numel(), generator=generator)[:PLACES].tolist():
            ways = {name: float(found[number].reshape(-1)[place]) for name, found in gradients.items()}
            yield from _compared(slopes, leaf, place, " ".join(key), sizes[key], ways, limit)


def _compared(
    slopes: Slopes, leaf: Tensor, place: int, value: str, size: float, ways: dict[str, float], limit: float
) -> Iterator[Edge]:
    """Give an edge for each result; steps below the bound are taken only where those above it do not agree."""
    here = _sums(slopes)
    noise = 1e-7 if leaf.dtype == torch.float64 else 1e-3
    above = _steps(slopes, leaf, place, size, here)
    below: dict[str, list[float]] | None = None
    for name, backward in ways.items():
        room = limit * max(abs(backward), abs(above[name][0])) + (noise * here[name][1] + NOTHING) / size
        inside = _nearest(above[name], backward)
        agrees = abs(inside - backward) <= room
        outside = nan
        if not agrees and isfinite(backward):
            below = _below(slopes, leaf, place, size, here) if below is None else below
            outside = _nearest(below.get(name, [nan]), backward)
        yield Edge(value, name, backward, inside, outside, agrees)


def _below(
    slopes: Slopes, leaf: Tensor, place: int, size: float, here: dict[str, tuple[float, float]]
) -> dict[str, list[float]]:
    try:
        return _steps(slopes, leaf, place, -size, here)
    except Exception:  # other people's code, where it need not run
        return {}


def _steps(
    slopes: Slopes, leaf: Tensor, place: int, size: float, here: dict[str, tuple[float, float]]
) -> dict[str, list[float]]:
    """Return the differences of each result for all widths, and where they tend to."""
    found: dict[str, list[float]] = {name: [] for name in here}
    flat = leaf.detach().view(-1)
    saved = flat[place].clone()
    for width in WIDTHS:
        try:
            flat[place] = saved + width * size
            moved = _sums(slopes)
            step = float(flat[place] - saved)
        finally:
            flat[place] = saved
        for name, (total, _) in moved.items():
            found[name].append((total - here[name][0]) / step)
    return {name: [*values, _limit(*values)] for name, values in found.items()}


def _limit(wide: float, middle: float, narrow: float) -> float:
    """Return the limit of L + c r^k from three values of k (Aitken): exact for any power of the step."""
    first, second = middle - wide, narrow - middle
    return narrow - second * second / (second - first) if abs(second) < abs(first) else narrow


def _nearest(values: list[float], to: float) -> float:
    finite = [value for value in values if isfinite(value)]
    return min(finite, key=lambda value: abs(value - to)) if finite and isfinite(to) else values[-1]


def _sums(slopes: Slopes) -> dict[str, tuple[float, float]]:
    """Return the sum of each result, and that of the sizes of its values."""
    return {
        name: (float(value.sum(dtype=torch.float64)), float(value.abs().sum()))
        for name, value in ((name, value.detach()) for name, value in _results(slopes).items())
    }


def _gradients(slopes: Slopes, leaves: list[Tensor]) -> dict[str, list[Tensor]]:
    """Return the gradients of the sum of each result, each from a run of its own."""
    found: dict[str, list[Tensor]] = {}
    for name in _results(slopes) if leaves else ():
        pulled = torch.autograd.grad(_results(slopes)[name].sum(), leaves, allow_unused=True)
        found[name] = [
            torch.zeros_like(leaf) if value is None else value for value, leaf in zip(pulled, leaves, strict=True)
        ]
    return found


def _results(slopes: Slopes) -> Tensors:
    outputs, state = slopes.results()
    named = {**outputs, **{f"state {name}": value for name, value in state.items()}}
    return {name: value for name, value in named.items() if value.requires_grad}


def _falls(subject: Subject, spec: FieldSpec) -> bool:
    known = subject.dictionary.resolve(spec.standard_name)[0] in INTERMITTENT
    return known and (spec.bounds is None or spec.bounds[0] <= 0.0)


def _zeroed(tensors: Tensors, specs: list[FieldSpec]) -> Tensors:
    return {**tensors, **{spec.name: torch.zeros_like(tensors[spec.name]) for spec in specs}}


def _size(spec: FieldSpec, values: Tensor) -> float:
    """Return the mean size of the values before they are taken away, or what is small within the bounds."""
    mean = float(values.detach().double().abs().mean()) if values.numel() else 0.0
    if mean > 0.0 and isfinite(mean):
        return mean
    return min(1.0, 0.1 * spec.bounds[1]) if spec.bounds else 1.0
