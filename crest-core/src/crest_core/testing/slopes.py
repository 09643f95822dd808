"""Slopes: derivatives of a component's run, by its backward pass and by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.testing.subject import Case, Subject

WIDTHS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""Of the size of each value; the width that agrees best counts: wide ones bend, narrow ones round."""
DIRECTIONS = 3
NOTHING = 1e-9
"""A field that stays below is taken for zero, such as snow in summer: its weight is 1, not the inverse of its size."""


class Slopes:
    """One run, its arguments on the tape: away from zeros and bounds, where no other `case` is given.

    `only` is "inputs", "state" or "parameters" where just these are asked for.
    """

    def __init__(
        self, subject: Subject, component: Component, *, steps: int = 4, only: str = "", case: Case | None = None
    ) -> None:
        self.component, self.subject = component, subject
        self.case = case or subject.case(steps, component=component, smooth=True, spin_up=3, cell=3, y=4, x=4)
        self.inputs, self.state = _leaves(self.case.inputs), _leaves(self.case.state)
        groups: dict[str, Tensors] = {
            "inputs": self.inputs,
            "state": self.state,
            "parameters": dict(component.named_parameters()),
        }
        chosen = [
            (f"{group} {name}", value)
            for group, tensors in groups.items()
            if only in ("", group)
            for name, value in tensors.items()
            if value.requires_grad and value.numel()
        ]
        self.names = [name for name, _ in chosen]
        self.leaves = [value for _, value in chosen]
        self._weights: list[Tensor] = []

    @property
    def differentiable(self) -> bool:
        """True if there is something to derive by."""
        return bool(self.leaves)

    def results(self) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) on the tape."""
        with torch.enable_grad():
            return self.component.sequence(dict(self.state), dict(self.inputs), self.case.times)

    def cotangents(self, generator: torch.Generator) -> list[Tensor]:
        """Return random weights of all results on the tape, each of the inverse size of its field."""
        found = []
        for value in self._live():
            size = value.detach().abs().max().to(torch.float64)
            size = size if float(size) > NOTHING else torch.ones_like(size)
            drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
            found.append((drawn / size / max(value.numel(), 1) ** 0.5).to(value))
        return found

    def pulled(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradients of all leaves, zero where a result does not depend on one."""
        live = self._live()
        found = torch.autograd.grad(live, self.leaves, list(cotangents), allow_unused=True) if live else []
        pairs = zip(found, self.leaves, strict=True) if live else ((None, leaf) for leaf in self.leaves)
        return [torch.zeros_like(leaf) if value is None else value for value, leaf in pairs]

    def function(self) -> tuple[list[Tensor], Callable[..., list[Tensor]]]:
        """Return inputs and state as a list, and the run as a function of them that gives the results on the tape."""
        keys = [("inputs", name) for name, v in self.inputs.items() if v.requires_grad and v.numel()]
        keys += [("state", name) for name, v in self.state.items() if v.requires_grad and v.numel()]
        groups: dict[str, Tensors] = {"inputs": self.inputs, "state": self.state}

        def run(*arguments: Tensor) -> list[Tensor]:
            given = {"inputs": dict(self.case.inputs), "state": dict(self.case.state)}
            for (group, name), value in zip(keys, arguments, strict=True):
                given[group][name] = value
            outputs, state = self.component.sequence(given["state"], given["inputs"], self.case.times)
            return [value for value in (*outputs.values(), *state.values()) if value.requires_grad]

        return [groups[group][name] for group, name in keys], run

    def against_differences(self, generator: torch.Generator) -> tuple[float, str]:
        """Return the largest relative difference to central differences over some directions, and it in words."""
        worst, text = 0.0, "no result depends on them"
        cotangents = self.cotangents(generator)
        gradients = self.pulled(cotangents)
        for _ in range(DIRECTIONS):
            directions = [
                self._direction(leaf, name, generator) for leaf, name in zip(self.leaves, self.names, strict=True)
            ]
            slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
            best, found = inf, 0.0
            for width in WIDTHS:
                difference = (
                    self._moved(directions, width, cotangents) - self._moved(directions, -width, cotangents)
                ) / (2 * width)
                size = max(abs(difference), abs(slope))
                error = abs(difference - slope) / size if size > 1e-13 else 0.0
                if not error >= best:
                    best, found = error, difference
            if not best <= worst or text.startswith("no"):
                worst = best
                text = f"backward gives {slope:.10g}, central differences {found:.10g}: {best:.1g} apart"
        return worst, text

    def _live(self) -> list[Tensor]:
        outputs, state = self.results()
        return [value for value in (*outputs.values(), *state.values()) if value.requires_grad]

    def _moved(self, directions: Sequence[Tensor], width: float, cotangents: Sequence[Tensor]) -> float:
        """Return the weighted sum of the results with the leaves moved along the directions."""
        saved = [leaf.detach().clone() for leaf in self.leaves]
        try:
            with torch.no_grad():
                for leaf, direction in zip(self.leaves, directions, strict=True):
                    leaf.add_(width * direction)
            live = self._live()
            return sum(float((v.detach() * w).sum(dtype=torch.float64)) for v, w in zip(live, cotangents, strict=True))
        finally:
            with torch.no_grad():
                for leaf, value in zip(self.leaves, saved, strict=True):
                    leaf.copy_(value)

    def _direction(self, leaf: Tensor, name: str, generator: torch.Generator) -> Tensor:
        """Return random signs times the spread of the values; zero where a step would leave the bounds."""
        values = leaf.detach()
        size = values.std() if values.numel() > 1 and bool(values.std() > 0) else values.abs().mean().clamp(min=0.1)
        signs = 2 * torch.randint(0, 2, values.shape, generator=generator) - 1
        direction = signs.to(values) * size
        group, _, key = name.partition(" ")
        specs = {"inputs": self.component.inputs, "state": self.component.states}.get(group, ())
        for spec in specs:
            if spec.name == key and spec.bounds:
                move = WIDTHS[0] * direction.abs()
                inside = (values - move >= spec.bounds[0]) & (values + move <= spec.bounds[1])
                direction = torch.where(inside, direction, torch.zeros_like(direction))
        return direction


def _leaves(tensors: Tensors) -> Tensors:
    return {
        name: value.detach().clone().requires_grad_() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
