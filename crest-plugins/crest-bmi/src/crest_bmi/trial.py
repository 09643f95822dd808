"""Trial runs while a component is built: whether states are all that a model remembers, and columns independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import isfinite

import numpy as np

from crest_bmi.description import Description
from crest_bmi.model import Array, BmiModel
from crest_bmi.running import Make
from crest_bmi.variables import Variable
from crest_core import ComponentError, FieldError, StateError

Arrays = dict[str, Array]
Trial = Mapping[str, Sequence[float]] | int
"""Values of inputs, one for each step of the trial, or its number of steps."""
STEPS = 4  # the fewest, and the number where none is asked for
_PLACES = (0.3, 0.6, 0.1, 0.45)  # of the range of an input in each step, over and over
_ADVICE = (
    "name all that the model remembers in states=, or leave states= out: the model is then opaque, without gradient "
    "and restart"
)


def check_model(make: Make, described: Description, trial: Trial, independent_columns: bool) -> None:
    """Try a model out: StateError unless its states are all, ComponentError if columns feel each other after all."""
    run = _TrialRun(make, described, trial)
    try:
        run.go_straight()
        run.check_states()
        if independent_columns and described.flat:
            run.check_columns()
    finally:
        run.close()


class _TrialRun:
    """Four steps or more of a fresh model, and what a second one makes of its states."""

    def __init__(self, make: Make, described: Description, trial: Trial) -> None:
        self.inputs, self.outputs, self.states = (described.roles[role] for role in ("input", "output", "state"))
        self.straight = make()
        self.models, self.make = [self.straight], make
        self.trial, self.drivers = trial, list[Arrays]()
        self.seen, self.results = list[Arrays](), list[Arrays]()

    def go_straight(self) -> None:
        """Run the first model through all steps, and note what it gives and remembers."""
        self.drivers = _drivers(self.straight, self.inputs, self.trial)
        self.seen.append(self._read(self.straight, self.states))
        for driver in self.drivers:
            self.results.append(self._run(self.straight, {}, driver))
            self.seen.append(self._read(self.straight, self.states))

    def check_states(self) -> None:
        """Raise StateError unless states that are set give bit for bit what the straight run gave.

        On a fresh model, going on, going back, and on the first model again, which the second must not have touched.
        A longer trial begins near its end, where the fresh model has taken fewer steps than the first one had.
        """
        self.models.append(fresh := self.make())
        last = len(self.drivers) - 1
        starts = [last - 1, last, *range(last - 1, 1, -1)]
        tries = [*((fresh, start) for start in starts), (self.straight, 2), (self.straight, 1)]
        for model, start in tries:
            self._check_set(model, self.seen[start])
            found = self._run(model, self.seen[start], self.drivers[start])
            after = self._read(model, self.states)
            names = [name for name in found if not _same(found[name], self.results[start][name])]
            names += [name for name in after if not _same(after[name], self.seen[start + 1][name])]
            if names:
                told = [one.name for one in self.states]
                raise StateError(
                    f"{model.who}: the states {told} are not all that it remembers: after set_value of them, update() "
                    f"gave another {', '.join(map(repr, dict.fromkeys(names)))} than the straight run; {_ADVICE}"
                )

    def check_columns(self) -> None:
        """Raise ComponentError if a column feels what is changed in others only."""
        state, driver = self.seen[2], self.drivers[2]
        other_state, other_driver = self.seen[3], self.drivers[3]
        expected = {**self.results[2], **other_state}
        mixed = self._run(self.straight, self._mix(state, other_state), self._mix(driver, other_driver))
        mixed |= self._read(self.straight, self.states)
        for one in (*self.outputs, *self.states):
            if one.way == "grid" and not _same(_even(one, mixed[one.name]), _even(one, expected[one.name])):
                raise ComponentError(
                    f"{self.straight.who}: independent_columns=True is wrong: {one.name!r} of a column changed with "
                    f"inputs and states of others; leave it out"
                )

    def close(self) -> None:
        """Finalize the models."""
        for model in self.models:
            model.close()

    def _check_set(self, model: BmiModel, state: Arrays) -> None:
        try:
            for name, values in state.items():
                model.set(name, values)
        except ComponentError as error:
            raise StateError(f"{error}; a state must take set_value: {_ADVICE}") from error
        for name, values in state.items():
            if not _same(model.get(name), values):
                raise StateError(
                    f"{model.who}: state {name!r} is {model.get(name)} after set_value of {values}; {_ADVICE}"
                )

    def _run(self, model: BmiModel, state: Arrays, driver: Arrays) -> Arrays:
        try:
            for name, values in {**state, **driver}.items():
                model.set(name, values)
            model.update()
            return self._read(model, self.outputs)
        except ComponentError as error:
            given = ", ".join(f"{name}={values.flat[0]:g}" for name, values in driver.items())
            raise ComponentError(
                f"{error}; this was the trial of states while the component was built, with {given}: give inputs "
                f"bounds in fields=, or values in trial="
            ) from error

    def _read(self, model: BmiModel, variables: Sequence[Variable]) -> Arrays:
        return {one.name: model.get(one.name) for one in variables}

    def _mix(self, ours: Arrays, theirs: Arrays) -> Arrays:
        """Return ours with every second column of theirs."""
        mixed = {name: values.copy() for name, values in ours.items()}
        for one in (*self.inputs, *self.states):
            if one.way == "grid" and one.name in mixed:
                _columns(one, mixed[one.name])[:, 1::2] = _columns(one, theirs[one.name])[:, 1::2]
        return mixed


def _drivers(model: BmiModel, inputs: Sequence[Variable], trial: Trial) -> list[Arrays]:
    """Return the inputs of each step: those asked for, else points of the range, else around the present value."""
    count = _count(model.who, trial, {one.name for one in inputs})
    given = {} if isinstance(trial, int) else trial
    steps: list[Arrays] = [{} for _ in range(count)]
    for one in inputs:
        now = model.get(one.name)
        low, high = one.spec.bounds or (-np.inf, np.inf)
        for step, place in zip(range(count), cycle(_PLACES), strict=False):
            if one.name in given:
                steps[step][one.name] = np.full_like(now, given[one.name][step])
            elif isfinite(high - low):
                steps[step][one.name] = np.full_like(now, low + place * (high - low))
            else:
                start = np.where(np.isfinite(now), now, 0.0)
                steps[step][one.name] = np.clip(start + place * np.maximum(1.0, np.abs(start)), low, high)
    return steps


def _count(who: str, trial: Trial, names: set[str]) -> int:
    """Return the number of steps; FieldError where it is too small, or not the same for all inputs."""
    if isinstance(trial, int):
        if isinstance(trial, bool) or trial < STEPS:
            raise FieldError(f"{who}: trial={trial}: expected {STEPS} steps or more")
        return trial
    counts = {len(series) for series in trial.values()}
    for name, series in trial.items():
        if name not in names or len(series) < STEPS or len(counts) > 1:
            raise FieldError(
                f"{who}: trial={{{name!r}: ...}}: expected {STEPS} values or more of one of {sorted(names)}, as many "
                f"for each input, got {len(series)}"
            )
    return counts.pop() if counts else STEPS


def _columns(one: Variable, values: Array) -> Array:
    return values.reshape(int(np.prod(one.own)), -1)


def _even(one: Variable, values: Array) -> Array:
    return _columns(one, values)[:, ::2]


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=True)
