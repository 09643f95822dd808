"""Compliance: look at every call of a running graph's components, without touching their code.

CREST_COMPLIANCE=1 does so in every `simulate`. Names, number types, shapes and times are looked at in each call;
values, which cost more, some steps later, many steps in one go; whether a call gives its answer twice, now and then,
of a sequence by its first steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf, isfinite
from sys import float_info
from time import perf_counter
from typing import Any

import cftime
import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.errors import ComponentError
from crest_core.graph import Graph
from crest_core.plugins import switched_on
from crest_core.testing.comparison import bits, place
from crest_core.testing.forms import look_at_forms
from crest_fields.clock import parse_timestep
from crest_fields.errors import TimeError
from crest_fields.fields import FieldSpec

Problem = tuple[int, int, bool, str]
"""Step, place in the order of calls, whether it is a result (not an input), and the words."""
Call = Callable[[Tensors, Tensors, Any], tuple[Tensors, Tensors]]
STEPS = 64  # whose values are looked at in one go
TWICE = 997  # calls from one that is made twice to the next
PREFIX = 2  # steps of a sequence that are made twice in place of all,
NUMBERS = 100_000  # once in so many numbers that sequences took and gave: their fixed cost is small beside that
SLACK = 1e-6  # of the width of the bounds, rounding of float32
VARIABLE = "CREST_COMPLIANCE"
_ZERO = timedelta(0)
_NOWHERE = (inf, -inf)


@dataclass
class Record:
    """What one component did in a run: calls, steps, seconds inside of it, and the range of each field."""

    name: str
    calls: int = 0
    steps: int = 0
    seconds: float = 0.0
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)


@contextmanager
def complying(graph: Graph) -> Iterator[list[Record]]:
    """Look at every call of the graph's components inside, those of nested graphs too; yields a record for each.

    ComponentError names component, field, step and place of what breaks the rules. Values are looked at up to 64 steps
    late, at the latest at the end of the block.
    """
    watches: list[_Watch] = []
    watches += [_Watch(name, component, watches) for name, component in _leaves(graph, "")]
    try:
        for watch in watches:
            step, sequence = watch.component.step, watch.component.sequence
            watch.component.__dict__ |= {
                "step": watch.around(step, stepping=True), "sequence": watch.around(sequence, stepping=False)
            }  # fmt: skip
        yield [watch.record for watch in watches]
        _raise(problem for watch in watches for problem in watch.flush())
    finally:
        for watch in watches:
            for name in ("step", "sequence"):
                watch.component.__dict__.pop(name, None)


@contextmanager
def complying_if_asked(graph: Graph) -> Iterator[list[Record]]:
    """Do so where the environment has CREST_COMPLIANCE=1, else nothing."""
    if not switched_on(VARIABLE):
        yield []
        return
    with complying(graph) as records:
        yield records


class _Watch:
    """One component under watch."""

    def __init__(self, name: str, component: Component, watches: list[_Watch]) -> None:
        self.component, self.record, self.all = component, Record(name), watches
        self.numbers = 0
        """Taken and given in sequences since one was made twice."""
        self.order = 0
        """Place in the order of calls: what is wrong in a step is told of the first that had it."""
        self.states, self.inputs, self.outputs = component.states, component.inputs, component.outputs
        self.names = [tuple(spec.name for spec in group) for group in (self.states, self.inputs, self.outputs)]
        self.limits = [(spec.name, *_limits(spec)) for spec in (*self.inputs, *self.states, *self.outputs)]
        self.step = _step_of(component)
        self.inside = False
        self.last: Any = None
        self.seen: set[tuple[Any, ...]] = set()
        self.kept: list[tuple[Any, list[Tensor]]] = []

    def around(self, call: Call, *, stepping: bool) -> Call:
        """Return the call with everything looked at; a `step` that is a sequence inside counts once."""

        def looked(state: Tensors, inputs: Tensors, times: Any) -> tuple[Tensors, Tensors]:
            if self.inside:
                return call(state, inputs, times)
            self.inside = True
            try:
                return self._call(call, state, inputs, times, stepping)
            finally:
                self.inside = False

        return looked

    def flush(self) -> Iterator[Problem]:
        """Look at the values of the steps since the last time, and yield what is wrong."""
        kept, self.kept = self.kept, []
        specs = (*self.inputs, *self.states, *self.outputs) if kept else ()
        times, first = [when for when, _ in kept], self.record.steps - len(kept)
        for index, spec in enumerate(specs):
            values = [tensors[index].detach() for _, tensors in kept]
            result = index >= len(self.inputs)
            if spec.static or any(value.shape != values[0].shape for value in values):
                for step, (when, value) in enumerate(zip(times, values, strict=True)):
                    yield from self._look_at(spec, value.unsqueeze(0), [when], first + step, result)
            else:
                yield from self._look_at(spec, torch.stack(values), times, first, result)

    def _call(self, call: Call, state: Tensors, inputs: Tensors, times: Any, stepping: bool) -> tuple[Tensors, Tensors]:
        record, when = self.record, times if stepping or not len(times) else times[0]
        states, needed, given = self.names
        arguments = [state[name] for name in states] + [inputs[name] for name in needed]
        versions, counts = [value._version for value in arguments], (len(state), len(inputs))
        self._follow(times, stepping)
        if not record.calls:
            self.order = sum(watch.record.calls > 0 for watch in self.all)
        began = perf_counter()
        outputs, after = call(state, inputs, times)
        record.seconds += perf_counter() - began
        if [value._version for value in arguments] != versions or (len(state), len(inputs)) != counts:
            raise ComponentError(f"{record.name} at {when} changed its arguments; compute new tensors and dicts")
        if outputs.keys() != {*given} or after.keys() != {*states}:
            raise ComponentError(
                f"{record.name} at {when}: expected the outputs {sorted(given)} and the states {sorted(states)}, got "
                f"{sorted(outputs)} and {sorted(after)}"
            )
        results = [after[name] for name in states] + [outputs[name] for name in given]
        forms = (stepping, *[(value.shape, value.dtype) for value in (*arguments, *results)])
        if forms not in self.seen:
            look_at_forms(f"{record.name} at {when}", self.component, arguments, results, 0 if stepping else 1)
            self.seen.add(forms)
        self._again(call, (state, inputs, times), (arguments, results), when, stepping)
        record.calls += 1
        record.steps += 1 if stepping else len(times)
        values = arguments[len(states) :] + results
        if not stepping:
            if not self._all_within(values):
                _raise(self._look_at_each(values, times))
        else:
            self.kept.append((times, values))
            if len(self.kept) == STEPS:
                _raise(problem for watch in self.all for problem in watch.flush())
        return outputs, after

    def _follow(self, times: Any, stepping: bool) -> None:
        """Raise where a sequence jumps in time, or a step begins before the last one has ended."""
        if self.step is None:
            return
        first, last = (times, times) if stepping else (times[0], times[-1]) if len(times) else (None, None)
        if not isinstance(first, cftime.datetime):  # a training batch has a date for each sample
            return
        if not stepping and last - first != (len(times) - 1) * self.step:
            raise ComponentError(
                f"{self.record.name}: {len(times)} steps from {first} to {last} are not {self.step} apart"
            )
        if self.last is not None and self.last.calendar == first.calendar and _ZERO < first - self.last < self.step:
            raise ComponentError(
                f"{self.record.name}: a step at {first} follows one at {self.last}, less than {self.step} later"
            )
        self.last = last

    def _all_within(self, values: Sequence[Tensor]) -> bool:
        """Return whether all values of a sequence are finite and within bounds, and note their ranges; the usual case.

        Few calls of torch a field, for at one cell these cost what counts.
        """
        ranges = self.record.ranges
        for (name, low, high), value in zip(self.limits, values, strict=True):
            if not value.numel():
                return False
            ends = torch.aminmax(value.detach())
            smallest, largest = ends[0].item(), ends[1].item()
            if not (low <= smallest and largest <= high):
                return False
            known = ranges.get(name, _NOWHERE)
            if smallest < known[0] or largest > known[1]:
                ranges[name] = min(known[0], smallest), max(known[1], largest)
        return True

    def _look_at_each(self, values: Sequence[Tensor], times: Sequence[Any]) -> Iterator[Problem]:
        """Look at the fields of a sequence one by one, and yield what is wrong."""
        for index, spec in enumerate((*self.inputs, *self.states, *self.outputs)):
            one = spec.static or 0 <= index - len(self.inputs) < len(self.states)  # has no time axis
            block, when_of = (values[index].unsqueeze(0), times[-1:]) if one else (values[index], times)
            yield from self._look_at(spec, block, when_of, 0, False)

    def _look_at(
        self, spec: FieldSpec, values: Tensor, times: Sequence[Any], first: int, result: bool
    ) -> Iterator[Problem]:
        """Yield where values (time, ...) are not finite or out of bounds; note their range."""
        if not values.numel():
            return
        values = values.detach()
        smallest, largest = (float(end) for end in torch.aminmax(values))
        low, high = _limits(spec)
        if low <= smallest and largest <= high:
            known = self.record.ranges.get(spec.name, (smallest, largest))
            self.record.ranges[spec.name] = min(known[0], smallest), max(known[1], largest)
            return
        good = torch.isfinite(values) & (values >= low) & (values <= high)
        index = [int(i) for i in (~good).nonzero()[0]]
        expected = f"finite and within {spec.bounds}" if spec.bounds else "a finite number"
        text = (
            f"{self.record.name} at {times[index[0]]}: {spec.name} [{spec.units}], {place(index[1:], spec)}: expected "
            f"{expected}, got {float(values[tuple(index)])}"
        )
        yield first + index[0], self.order, result, text

    def _again(
        self,
        call: Call,
        arguments: tuple[Tensors, Tensors, Any],
        values: tuple[Sequence[Tensor], Sequence[Tensor]],
        when: Any,
        stepping: bool,
    ) -> None:
        """Raise where the same call gives another answer; a sequence is told by its first steps, made two times."""
        if self.component.opaque or self.component.training:
            return
        state, inputs, times = arguments
        results: Sequence[Tensor] = values[1]
        if stepping and self.record.calls % TWICE:
            return
        if not stepping:
            self.numbers += sum(value.numel() for group in values for value in group)
            if self.numbers < NUMBERS:
                return
            self.numbers = 0
            static = {spec.name for spec in self.inputs if spec.static}
            inputs = {name: value if name in static else value[:PREFIX] for name, value in inputs.items()}
            times, results = times[:PREFIX], ()

        def made() -> list[Tensor]:
            outputs, after = call(state, inputs, times)
            return [after[name] for name in self.names[0]] + [outputs[name] for name in self.names[2]]

        with torch.no_grad():
            results, again = results or made(), made()
        for name, first, second in zip((*self.names[0], *self.names[2]), results, again, strict=True):
            if not torch.equal(bits(first), bits(second)):
                raise ComponentError(
                    f"{self.record.name} at {when}: the same call gives another {name}; put all memory into the state"
                )


def _limits(spec: FieldSpec) -> tuple[float, float]:
    """Return the bounds of a field with some room for rounding; what is not finite lies outside in any case."""
    low, high = spec.bounds or (-inf, inf)
    slack = SLACK * (high - low) if isfinite(high - low) else 0.0
    return max(low - slack, -float_info.max), min(high + slack, float_info.max)


def _raise(problems: Iterable[Problem]) -> None:
    """Raise the first of all problems in time, and there in the order of calls, if there is one."""
    found = min(problems, default=None)
    if found is not None:
        raise ComponentError(found[-1])


def _leaves(graph: Graph, prefix: str) -> Iterator[tuple[str, Component]]:
    """Yield name and component of all that is no graph itself."""
    for name, component in graph.components.items():
        if isinstance(component, Graph):
            yield from _leaves(component, f"{prefix}{name}.")
        else:
            yield prefix + name, component


def _step_of(component: Component) -> timedelta | None:
    try:
        return parse_timestep(component.timestep)
    except TimeError:
        return None
