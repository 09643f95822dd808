"""Models that hide their state: a token stands for it, and a model at that token is found or made by replay."""

from __future__ import annotations

import hashlib
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from crest_bmi.description import TOKEN, Description, Rows
from crest_bmi.model import Array, BmiModel
from crest_bmi.running import Make, close_with
from crest_core import StateError

START = (0.0, 0.0)
Token = tuple[float, float]
"""Steps since the start, and a hash of all inputs since then: 48 bits, which float64 holds."""


class _Step(NamedTuple):
    before: Token
    inputs: dict[str, Array]


class HiddenModels:
    """One running model for each member and column, moved in time order.

    With `replay`, the inputs of every step are kept in memory, and any earlier state can be reached again.
    """

    def __init__(self, make: Make, replay: bool) -> None:
        self._make, self._replay = make, replay
        self._models: list[BmiModel] = []
        self._tokens: list[Token] = []
        self._steps: dict[Token, _Step] = {}
        self.lock = RLock()
        close_with(self, self._models)

    def __reduce__(self) -> Any:
        return HiddenModels, (self._make, self._replay)

    def calls(self, described: Description, rows: Rows) -> dict[str, Array]:
        """Return outputs and tokens after each call, by BMI name."""
        found = described.room(rows.count)
        with self.lock:
            for call in range(rows.count):
                inputs = {name: values[call] for name, values in rows.arrays.items() if name != TOKEN}
                steps, mark = rows.arrays[TOKEN][call].tolist()
                model, found[TOKEN][call] = self._advance(call, (steps, mark), inputs)
                for name in found.keys() - {TOKEN}:
                    found[name][call] = model.get(name)
        return found

    def close(self) -> None:
        """Finalize all models."""
        self._tokens.clear()
        while self._models:
            self._models.pop().close()

    def _advance(self, place: int, token: Token, inputs: dict[str, Array]) -> tuple[BmiModel, Token]:
        """Return the model of a place after one step from the state of a token, and its token."""
        while len(self._models) <= place:
            self._models.append(self._make())
            self._tokens.append(START)
        if self._tokens[place] != token:
            self._restore(place, token)
        after = _name(token, inputs)
        self._tokens[place] = (-1.0, -1.0)  # nowhere, until the step is done
        _run(self._models[place], inputs)
        self._tokens[place] = after
        if self._replay:
            self._steps[after] = _Step(token, {name: values.copy() for name, values in inputs.items()})
        return self._models[place], after

    def _restore(self, place: int, token: Token) -> None:
        """Put a fresh model in place and bring it to a token; StateError where the way there is not known."""
        who, at = self._models[place].who, token
        chain: list[dict[str, Array]] = []
        while at != START:
            if at not in self._steps:
                told = "it has no record of them" if self._replay else "build it with replay=True to keep them"
                raise StateError(
                    f"{who} is opaque: it hides its state, runs in time order from its start, and stands after "
                    f"{max(self._tokens[place][0], 0):g} steps; it cannot go on from the state after {token[0]:g} "
                    f"steps without the inputs of these ({told}); begin with initial_state, or declare states="
                )
            at, inputs = self._steps[at]
            chain.append(inputs)
        old, self._models[place] = self._models[place], self._make()
        old.close()
        for inputs in reversed(chain):
            _run(self._models[place], inputs)


def _run(model: BmiModel, inputs: dict[str, Array]) -> None:
    for name, values in inputs.items():
        model.set(name, values)
    model.update()


def _name(token: Token, inputs: dict[str, Array]) -> Token:
    """Return the token after a step."""
    found = hashlib.sha256(np.array(token).tobytes())
    for name in sorted(inputs):
        found.update(name.encode() + inputs[name].tobytes())
    return token[0] + 1.0, float(int.from_bytes(found.digest()[:6]))
