"""What a component keeps running: one model whose state is set before every step."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any

from crest_bmi.description import Description, Rows
from crest_bmi.model import Array, BmiModel
from crest_core import ComponentError

Make = Callable[[], BmiModel]


class SettableModel:
    """A model that is begun on first use, and anew where its end time is reached; copies begin one of their own."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._models: list[BmiModel] = []
        self.lock = RLock()
        close_with(self, self._models)

    def __reduce__(self) -> Any:
        return SettableModel, (self._make,)

    def calls(self, described: Description, rows: Rows) -> dict[str, Array]:
        """Return outputs and states after each call, by BMI name."""
        found = described.room(rows.count)
        with self.lock:
            for call in range(rows.count):
                model = self._ready()
                try:
                    for name, values in rows.arrays.items():
                        model.set(name, values[call])
                    model.update()
                    for name, values in found.items():
                        values[call] = model.get(name)
                except ComponentError:
                    _close_quietly(self._models)  # nobody knows where it stopped
                    raise
        return found

    def close(self) -> None:
        """Finalize the model."""
        while self._models:
            self._models.pop().close()

    def _ready(self) -> BmiModel:
        """Return the model, with a step left before its end."""
        if self._models and self._models[0].at_end:
            self.close()
        if not self._models:
            self._models.append(self._make())
        return self._models[0]


def close_with(owner: object, models: list[BmiModel]) -> None:
    """Finalize what is in a list when its owner is gone, at the end of the process at the latest."""
    weakref.finalize(owner, _close_quietly, models)


def _close_quietly(models: list[BmiModel]) -> None:
    while models:
        with suppress(ComponentError):  # there is nobody to tell
            models.pop().close()
