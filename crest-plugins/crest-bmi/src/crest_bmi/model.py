"""One running BMI model, every call of it guarded: a failure names the model and the BMI function."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np
from bmipy import Bmi

from crest_bmi.answers import names, number, whole
from crest_core import ComponentError, CrestError, TimeError, UnitError, conversion

Array = np.ndarray
_KINDS = {"f": ("double", "float", "real", "f4", "f8"), "i": ("int", "long", "short", "i"), "u": ("uint", "unsigned")}
_NO_LENGTH = ("year", "years", "yr", "a", "month", "months", "mon")
_SLACK = 1e-6  # of a time step, by which clocks may be off


class BmiModel:
    """A model after `initialize`, with arrays in and out as flat float64 in C order."""

    def __init__(self, factory: Callable[[], Bmi], config_file: str | Path | None) -> None:
        self.who, self._updates, self._open = "BMI model", 0, False
        self.step, self._now, self._last = 0.0, 0.0, 0.0
        config = "" if config_file is None else str(config_file)
        if config and not Path(config).is_file():
            raise ComponentError(f"BMI model: the configuration {config!r} is no file; give the path of one")
        try:
            self._bmi = factory()
        except (Exception, SystemExit) as error:
            raise ComponentError(f"BMI model: {factory!r} raised {_said(error)}; give a class of bmipy.Bmi") from error
        self.who = f"BMI model {type(self._bmi).__name__}"
        self.ask("initialize", config)
        self._open = True
        self.who = f"BMI model {self.ask('get_component_name')}"
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._sizes: dict[str, int] = {}
        try:
            self._read_clock()
        except CrestError:
            with suppress(ComponentError):  # the first error is the one to tell
                self.close()
            raise

    def ask(self, function: str, *arguments: Any) -> Any:
        """Return what a BMI function returns; ComponentError where it raises, or ends the process as sys.exit does."""
        try:
            return getattr(self._bmi, function)(*arguments)
        except (Exception, SystemExit) as error:
            given = ", ".join(repr(one) for one in arguments if isinstance(one, str | int))
            when = f" in step {self._updates + 1} since initialize()" if function == "update" else ""
            raise ComponentError(f"{self.who}: {function}({given}) raised {_said(error)}{when}") from error

    def whole(self, function: str, argument: str | int, least: int = 0) -> int:
        """Return a whole number that a BMI function returns; ComponentError where it is none, or less than `least`."""
        return whole(f"{self.who}: {function}({argument!r})", self.ask(function, argument), least)

    def names(self, function: str) -> list[str]:
        """Return the names that a BMI function lists."""
        return names(f"{self.who}: {function}()", self.ask(function))

    def fill(self, function: str, grid: int, room: Array) -> Array:
        """Return the numbers with which a BMI function fills an array; some models return them, others nothing."""
        answer = self.ask(function, grid, room)
        found = room if answer is None else np.asarray(answer)
        if found.shape != room.shape or found.dtype.kind not in "iuf":
            raise ComponentError(f"{self.who}: {function}({grid}) gave {answer!r}, expected {room.size} numbers")
        return found

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the number type of a variable; "float" is what its item size says, as C and Fortran mean it."""
        if name not in self._dtypes:
            word, size = str(self.ask("get_var_type", name)), self.whole("get_var_itemsize", name, 1)
            kind = next((kind for kind, words in _KINDS.items() if word.lower().startswith(words)), "")
            try:
                self._dtypes[name] = np.dtype(f"{kind}{size}" if kind else "")
            except TypeError:
                raise ComponentError(
                    f"{self.who}: variable {name!r} has type {word!r} of {size} bytes; expected numbers, such as "
                    f"'float64' of 8"
                ) from None
        return self._dtypes[name]

    def size(self, name: str) -> int:
        """Return how many numbers a variable holds."""
        if name not in self._sizes:
            self._sizes[name] = self.whole("get_var_nbytes", name, 1) // self.dtype(name).itemsize
        return self._sizes[name]

    def get(self, name: str) -> Array:
        """Return a copy of a variable."""
        values = np.empty(self.size(name), self.dtype(name))
        self.ask("get_value", name, values)
        return values.astype(np.float64, copy=False)

    def set(self, name: str, values: Array) -> None:
        """Overwrite a variable; the model gets memory of its own."""
        self.ask("set_value", name, np.array(values, self.dtype(name)))

    @property
    def at_end(self) -> bool:
        """Whether the next step would pass the model's end time."""
        return self._now + (1 - _SLACK) * self.step > self._last

    def update(self) -> None:
        """Advance by one time step, which must be as long as the first one was."""
        self.ask("update")
        self._updates += 1
        before = self._now
        self._now = self._time("get_current_time")
        if abs(self._now - before - self.step) > _SLACK * self.step:
            raise ComponentError(
                f"{self.who}: update() went from time {before:g} to {self._now:g} in step {self._updates}, expected "
                f"{self.step:g} on; a component needs a constant time step, and an end time after the run"
            )

    def close(self) -> None:
        """Call `finalize`, once."""
        if self._open:
            self._open = False
            self.ask("finalize")

    def _read_clock(self) -> None:
        self.step = self._time("get_time_step")
        self._now = self._time("get_current_time")
        if self.step <= 0:
            raise TimeError(f"{self.who}: get_time_step() gave {self.step:g}, expected a number above 0")
        self._last = number(f"{self.who}: get_end_time()", self.ask("get_end_time"))
        if isnan(self._last) or self.at_end:
            raise TimeError(
                f"{self.who}: get_end_time() gave {self._last:g}, expected a time at least one step of {self.step:g} "
                f"after the time {self._now:g} of the start; change the configuration of the model"
            )

    def _time(self, function: str) -> float:
        found = number(f"{self.who}: {function}()", self.ask(function))
        if not isfinite(found):
            raise TimeError(f"{self.who}: {function}() gave {found}, expected a finite number")
        return found

    def timestep(self) -> str:
        """Return the time step as a component declares it, "1D" or "3600s"."""
        text = str(self.ask("get_time_units"))
        bare = text.partition(" since ")[0].strip()
        advice = "override it with timestep='1D' or the like"
        if bare.lower() in _NO_LENGTH:
            raise TimeError(f"{self.who}: time units {text!r} have no fixed length; a component steps in s, h or days")
        try:
            seconds = conversion(bare, "s")(self.step)
        except UnitError as error:
            raise TimeError(f"{self.who}: time units {text!r} are no time ({error}); {advice}") from error
        whole = round(seconds)
        if whole < 1 or abs(seconds - whole) > _SLACK * seconds:
            raise TimeError(f"{self.who}: a time step of {seconds:g} s is not a whole number of seconds; {advice}")
        return f"{whole // 86400}D" if whole % 86400 == 0 else f"{whole}s"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
