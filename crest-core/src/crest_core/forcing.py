"""Forcing: an xarray Dataset, checked field by field, handed out as plain tensors.

Nothing is aligned, filled, dropped or sorted: what does not fit is an error that says how to repair it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from crest_core.clock import Clock, format_timestep, from_xarray_time, parse_timestep
from crest_core.component import Sizes, Tensors
from crest_core.connection import Transform, compile_transforms
from crest_core.dictionary import Dictionary
from crest_core.errors import CrestError, ForcingError
from crest_core.fields import STATISTICS, FieldSpec
from crest_core.units import conversion

LEAD = ("member", "sample")
_FILL_VALUES = (-9999.0, -999.0, -99999.0, 9.969209968386869e36, 1e20, 1e30, 1e35)


class Forcing:
    """The forcing of a model: every field found, its units, dims and times checked once.

    Fields are looked up by variable name, then by the attribute standard_name. `near` holds hints for fields that an
    export nearly fits. A missing attribute cell_methods is read as what the model asks for.
    """

    def __init__(
        self,
        dataset: xr.Dataset,
        fields: Sequence[FieldSpec],
        *,
        timestep: str,
        dictionary: Dictionary,
        calendar: str | None = None,
        near: Mapping[str, str] | None = None,
    ) -> None:
        self.fields, self.dictionary = tuple(fields), dictionary
        self.near = near or {}
        self.timestep = timestep
        self.variables = {spec.name: self._find(dataset, spec) for spec in fields}
        self.dataset = dataset
        self.calendar = calendar or _calendar(dataset)
        self.times = self._checked_times()
        self.chains = {spec.name: self._chain(spec) for spec in fields}
        self.lead = self._lead()
        self._hash = hashlib.sha256()

    def clock(self, start: Any = None, end: Any = None, steps_before: int = 0) -> Clock:
        """Return the clock of a run; by default all times after the `steps_before` that windows need."""
        step = parse_timestep(self.timestep)
        if len(self.times) == 0:
            if start is None or end is None:
                raise ForcingError("a run without forcing in time needs start= and end=")
            return Clock(start, end, step, self.calendar)
        first, last = self.times[0], self.times[-1] + step
        clock = Clock(
            first + steps_before * step if start is None else start,
            last if end is None else end,
            step,
            self.calendar,
        )
        need = clock.start - steps_before * step
        if need < first or clock.end > last:
            earlier = f" (the windows need {steps_before} earlier steps)" if steps_before else ""
            raise ForcingError(
                f"the run needs forcing from {need} to {clock.end}{earlier}, but the data hold {first} to "
                f"{last}; shorten the period or extend the data"
            )
        if (clock.start - first) % step:
            raise ForcingError(
                f"the run starts at {clock.start}, which is not one of the data's times ({first} and every "
                f"{format_timestep(step)}); start at one of them"
            )
        return clock

    def sizes(self, dtype: torch.dtype) -> Sizes:
        """Return the sizes of all horizontal and other dims that the forcing brings."""
        dims: dict[str, int] = {}
        for spec in self.fields:
            variable = self.variables[spec.name]
            dims |= {name: variable.sizes[name] for name in spec.dims}
        return Sizes(dims, tuple(self.dataset.sizes[name] for name in self.lead), dtype)

    def tensors(self, start: Any, steps: int, dtype: torch.dtype) -> Tensors:
        """Return `steps` steps from the date `start`: each field (time, *lead, *dims), static without time."""
        first = 0
        if len(self.times):
            first = int((start - self.times[0]) / parse_timestep(self.timestep))
        return {spec.name: self._read(spec, first, steps, dtype) for spec in self.fields}

    @property
    def digest(self) -> str:
        """Return the sha256 over all values handed out so far, in their order."""
        return self._hash.hexdigest()

    def _find(self, dataset: xr.Dataset, spec: FieldSpec) -> xr.DataArray:
        if spec.name in dataset.variables:
            return self._same_quantity(dataset[spec.name], spec)
        same = [
            name
            for name, variable in dataset.data_vars.items()
            if spec.standard_name
            and variable.attrs.get("standard_name") == spec.standard_name
            and _statistic(variable, spec) in _compatible(spec)
        ]
        if len(same) == 1:
            return dataset[same[0]]
        if len(same) > 1:
            raise ForcingError(
                f"forcing {spec.name} [{spec.standard_name}]: the variables {sorted(map(str, same))} all have this "
                f"standard name; rename the right one to {spec.name!r}"
            )
        names = [str(name) for name in dataset.data_vars]
        close = get_close_matches(spec.name, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        hint += f" {self.near[spec.name]}" if spec.name in self.near else ""
        raise ForcingError(
            f"forcing lacks {spec.name} ({spec.describe()}): no variable of that name or standard_name; the data "
            f"hold {', '.join(names) or 'nothing'}{hint}"
        )

    def _same_quantity(self, variable: xr.DataArray, spec: FieldSpec) -> xr.DataArray:
        given = str(variable.attrs.get("standard_name", ""))
        known = {self.dictionary.resolve(name)[0] for name in (given, spec.standard_name) if name}
        if given and spec.standard_name and len(known) > 1:
            raise ForcingError(
                f"forcing {spec.name}: expected standard_name {spec.standard_name!r}, got {given!r}; rename the "
                f"variable, or correct the attribute"
            )
        if not spec.static and _statistic(variable, spec) not in _compatible(spec):
            raise ForcingError(
                f"forcing {spec.name}: expected cell_methods {spec.cell_methods!r}, got "
                f"{variable.attrs['cell_methods']!r}; these are different quantities"
            )
        return variable

    def _checked_times(self) -> np.ndarray:
        moving = [spec for spec in self.fields if not spec.static]
        for spec in self.fields:
            variable = self.variables[spec.name]
            expected = set(spec.dims) | (set() if spec.static else {"time"})
            got = set(map(str, variable.dims)) - set(LEAD)
            if got != expected:
                raise ForcingError(
                    f"forcing {spec.name}: expected the dims {sorted(expected)} (and optionally member, sample), "
                    f"got {tuple(variable.dims)}; rename, select or expand dims"
                )
        if not moving:
            return np.empty(0, dtype=object)
        if "time" not in self.dataset.coords:
            raise ForcingError("forcing has a dim time without a coordinate; add the starts of the steps")
        index = self.dataset["time"]
        if index.dtype.kind not in "MO" or index.size == 0:
            raise ForcingError(
                f"forcing time: expected dates of {index.size or 'at least one'} steps, got dtype {index.dtype} and "
                f"{index.size} values; open the file with decode_times=True, select a period that is not empty, and "
                f"convert times with a time zone to UTC without one"
            )
        zone = index.to_index().dtype
        if isinstance(zone, pd.DatetimeTZDtype):
            raise ForcingError(
                f"forcing time: expected UTC without a time zone, got {zone}; convert with tz_convert('UTC') and "
                f"tz_localize(None)"
            )
        times = from_xarray_time(index.values, self.calendar)
        self._check_steps(times)
        self._check_labels(times)
        return times

    def _check_steps(self, times: np.ndarray) -> None:
        step = parse_timestep(self.timestep)
        for earlier, later in zip(times[:-1], times[1:], strict=True):
            if later - earlier == step:
                continue
            if later == earlier:
                fault, advice = "appears twice", "keep one"
            elif later < earlier:
                fault, advice = f"follows {earlier}: not sorted", "sort by time"
            elif later - earlier > step:
                fault = f"follows {earlier}: {(later - earlier) // step - 1} steps are missing"
                advice = "fill the gap in sight, or split the run"
            else:
                fault = f"follows {earlier}: expected steps of {format_timestep(step)}"
                advice = "bring the data to the model's timestep"
            raise ForcingError(f"forcing time {later} {fault}; {advice}")

    def _check_labels(self, times: np.ndarray) -> None:
        name = self.dataset["time"].attrs.get("bounds", self.dataset["time"].encoding.get("bounds"))
        if name not in self.dataset.variables:
            return
        starts = from_xarray_time(self.dataset[name].values[:, 0], self.calendar)
        if starts[0] != times[0]:
            raise ForcingError(
                f"forcing time {times[0]} is not the start of its interval, which {name} says is {starts[0]}; label "
                f"intervals by their start"
            )

    def _chain(self, spec: FieldSpec) -> tuple[Transform, ...]:
        variable = self.variables[spec.name]
        units = variable.attrs.get("units")
        if units is None:
            raise ForcingError(
                f"forcing {spec.name}: the variable has no attribute units; expected units that convert to "
                f"{spec.units!r}, such as attrs['units'] = {spec.units!r}"
            )
        statistic = _statistic(variable, spec)
        try:
            source = replace(
                spec,
                units=str(units),
                cell_methods=f"time: {statistic}",
                standard_name=str(variable.attrs.get("standard_name", spec.standard_name)),
                positive=str(variable.attrs.get("positive", spec.positive)),
                bounds=None,
            )
            return compile_transforms(
                source,
                spec,
                ends=f"forcing {spec.name}",
                seconds=parse_timestep(self.timestep).total_seconds(),
                dictionary=self.dictionary,
            )
        except CrestError as error:
            raise ForcingError(f"forcing {spec.name}: {error}") from error

    def _lead(self) -> tuple[str, ...]:
        used = {str(name) for variable in self.variables.values() for name in variable.dims}
        return tuple(name for name in LEAD if name in used)

    def _read(self, spec: FieldSpec, first: int, steps: int, dtype: torch.dtype) -> torch.Tensor:
        variable = self.variables[spec.name]
        if not spec.static:
            variable = variable.isel(time=slice(first, first + steps))
        leading = () if spec.static else ("time",)
        order = (*leading, *(name for name in self.lead if name in variable.dims), *spec.dims)
        values = np.array(variable.transpose(*order).values, dtype=np.float64)
        tensor = torch.from_numpy(values)
        for transform in self.chains[spec.name]:
            tensor = transform(tensor)
        self._check_values(spec, tensor, order, first)
        tensor = tensor.to(dtype)
        self._hash.update(tensor.numpy().tobytes())
        missing = [i for i, name in enumerate(self.lead) if name not in variable.dims]
        for place in missing:  # broadcast over the leading dims that this field lacks
            tensor = tensor.unsqueeze(place + len(leading))
        sizes = [self.dataset.sizes[name] for name in self.lead]
        own = len(leading) + len(self.lead)
        return tensor.expand(*tensor.shape[: len(leading)], *sizes, *tensor.shape[own:])

    def _check_values(self, spec: FieldSpec, values: torch.Tensor, order: tuple[str, ...], first: int) -> None:
        low, high = self._bounds(spec)
        good = torch.isfinite(values) & (values >= low) & (values <= high)
        for fill in _FILL_VALUES:
            good &= values != fill
        if bool(good.all()):
            return
        bad = ~good
        index = tuple(int(i) for i in bad.nonzero()[0])
        places = dict(zip(order, index, strict=True))
        where = ", ".join(f"{name} {i}" for name, i in places.items() if name != "time")
        if "time" in places:
            where = f"time {self.times[first + places['time']]}, {where}"
        raise ForcingError(
            f"forcing {spec.name} [{spec.units}]: expected finite values within [{low:g}, {high:g}], got "
            f"{float(values[index]):g} at {where} ({int(bad.sum())} such values); mask fill values, fill gaps in "
            f"sight, or correct the units"
        )

    def _bounds(self, spec: FieldSpec) -> tuple[float, float]:
        """Return the possible range in the field's units: its own bounds, else the dictionary's."""
        if spec.bounds is not None:
            return spec.bounds
        entry = self.dictionary.get(spec.standard_name)
        if entry is None or entry.bounds is None:
            return float("-inf"), float("inf")
        try:
            change = conversion(entry.canonical_units, spec.units)
        except CrestError:  # a depth where the dictionary says mass: bounds do not carry over
            return float("-inf"), float("inf")
        return change(entry.bounds[0]), change(entry.bounds[1])


def _statistic(variable: xr.DataArray, spec: FieldSpec) -> str:
    text = str(variable.attrs.get("cell_methods", ""))
    for part in text.split("time:")[1:]:
        word = part.split()[0] if part.split() else ""
        if word in STATISTICS:
            return word
    return spec.statistic


def _compatible(spec: FieldSpec) -> tuple[str, ...]:
    if spec.statistic in ("minimum", "maximum"):
        return (spec.statistic,)
    return ("mean", "sum", "point")


def _calendar(dataset: xr.Dataset) -> str:
    if "time" not in dataset.coords or dataset["time"].size == 0 or dataset["time"].dtype.kind != "O":
        return "standard"
    return str(dataset["time"].dt.calendar)
