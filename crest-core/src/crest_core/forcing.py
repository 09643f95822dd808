"""Forcing: an xarray Dataset, checked field by field, handed out as plain tensors.

Nothing is aligned, filled, dropped or sorted: what does not fit is an error that says how to repair it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import cftime
import numpy as np
import torch
import xarray as xr

from crest_core.clock import Clock, format_timestep, from_xarray_time, parse_timestep
from crest_core.component import Sizes, Tensors
from crest_core.connection import Transform, compile_transforms
from crest_core.errors import CrestError, ForcingError, near
from crest_core.fields import STATISTICS, FieldSpec
from crest_core.graph import Graph
from crest_core.units import conversion

LEAD = ("member", "sample")
_FILL_VALUES = (-9999.0, -999.0, -99999.0, -32768.0, 9.969209968386869e36, 1e20, 1e30, 1e35, 1e36)


class Forcing:
    """The forcing of a model: every field found, its units, dims and times checked once.

    Fields are looked up by variable name, then by the attribute standard_name (not those of one depth, which it does
    not tell). A missing attribute cell_methods is read as what the model asks for. Fields of a component on the named
    grid G have the dims cell_G, or y_G and x_G.
    """

    def __init__(self, dataset: xr.Dataset, graph: Graph, calendar: str | None = None) -> None:
        self.dataset, self.graph, self.fields = dataset, graph, graph.inputs
        self.step = parse_timestep(graph.timestep)
        self.variables = {spec.name: self._on_grid(spec, self._find(spec)) for spec in self.fields}
        self.calendar = calendar or _calendar(dataset)
        self.times = np.empty(0, dtype=object) if all(spec.static for spec in self.fields) else self._checked_times()
        self.chains = {spec.name: self._chain(spec) for spec in self.fields}
        used = {name for variable in self.variables.values() for name in variable.dims}
        self.lead = tuple(name for name in LEAD if name in used)

    def clock(self, start: Any = None, end: Any = None, steps_before: int = 0) -> Clock:
        """Return the clock of a run; by default all times after the `steps_before` that windows need."""
        if len(self.times) == 0:
            if start is None or end is None:
                raise ForcingError("a run without forcing in time needs start= and end=")
            return Clock(start, end, self.step, self.calendar)
        first, last = self.times[0], self.times[-1] + self.step
        start = first + steps_before * self.step if start is None else start
        clock = Clock(start, last if end is None else end, self.step, self.calendar)
        need = clock.start - steps_before * self.step
        if need < first or clock.end > last:
            earlier = f" (the windows need {steps_before} earlier steps)" if steps_before else ""
            raise ForcingError(
                f"the run needs forcing from {need} to {clock.end}{earlier}, but the data hold {first} to {last}; "
                f"shorten the period or extend the data"
            )
        if (clock.start - first) % self.step:
            raise ForcingError(
                f"the run starts at {clock.start}, which is not one of the data's times ({first} and every "
                f"{format_timestep(self.step)}); start at one of them"
            )
        return clock

    def sizes(self, dtype: torch.dtype) -> Sizes:
        """Return the sizes of the dims that the forcing brings, those of named grids aside."""
        grids = self.graph.forcing_grids
        own = [spec for spec in self.fields if grids[spec.name] is None]
        dims = {dim: self.variables[spec.name].sizes[dim] for spec in own for dim in spec.dims}
        return Sizes(dims, tuple(self.dataset.sizes[name] for name in self.lead), dtype)

    def tensors(self, start: Any, steps: int, dtype: torch.dtype) -> Tensors:
        """Return `steps` steps from the date `start`: each field (time, *lead, *dims), static without time."""
        first = int((start - self.times[0]) / self.step) if len(self.times) else 0
        return {spec.name: self._read(spec, first, steps, dtype) for spec in self.fields}

    def _find(self, spec: FieldSpec) -> xr.DataArray:
        if spec.name in self.dataset.variables:
            return self._same_quantity(self.dataset[spec.name], spec)
        same = [
            name
            for name, variable in self.dataset.data_vars.items()
            if spec.standard_name
            and spec.vertical is None
            and variable.attrs.get("standard_name") == spec.standard_name
            and _statistic(variable, spec) in _compatible(spec)
        ]
        if len(same) == 1:
            return self.dataset[same[0]]
        if same:
            raise ForcingError(
                f"forcing {spec.name} [{spec.standard_name}]: the variables {same} all have this standard name; "
                f"rename the right one to {spec.name!r}"
            )
        names = [str(name) for name in self.dataset.data_vars]
        raise ForcingError(
            f"forcing lacks {spec.name} ({spec.describe()}): no variable of that name or standard_name; the data hold "
            f"{', '.join(names) or 'nothing'}{near(spec.name, names)} {self.graph.near.get(spec.name, '')}".rstrip()
        )

    def _same_quantity(self, variable: xr.DataArray, spec: FieldSpec) -> xr.DataArray:
        given = str(variable.attrs.get("standard_name", ""))
        known = {self.graph.dictionary.resolve(name)[0] for name in (given, spec.standard_name) if name}
        if given and len(known) > 1:
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

    def _on_grid(self, spec: FieldSpec, variable: xr.DataArray) -> xr.DataArray:
        """Return the variable with the field's own dims, which a named grid has under longer names."""
        name = self.graph.forcing_grids[spec.name]
        sizes = self.graph.grids[name].sizes if name else {}
        dims = {f"{dim}_{name}" if dim in sizes else dim: dim for dim in spec.dims}
        if set(variable.dims) - set(LEAD) != {*dims, *(() if spec.static else ("time",))}:
            expected = [*dims] if spec.static else ["time", *dims]
            raise ForcingError(
                f"forcing {spec.name}: expected the dims {expected} (and optionally member, sample), got "
                f"{variable.dims}; rename, select or expand dims; a map is stacked by "
                f"data.stack(cell=('lat', 'lon')).reset_index('cell')"
            )
        for long, dim in dims.items():
            known = {**self.graph.dim_sizes, **sizes}.get(dim, variable.sizes[long] or 1)
            if known != variable.sizes[long]:
                raise ForcingError(f"forcing {spec.name}: expected {known} along {long}, got {variable.sizes[long]}")
        if variable.dtype.kind not in "fiu" or {"scale_factor", "add_offset"} & set(variable.attrs):
            raise ForcingError(
                f"forcing {spec.name}: expected plain numbers, got {variable.dtype} with attributes "
                f"{sorted(variable.attrs)}; open packed data with mask_and_scale=True, give time spans in a unit"
            )
        return variable.rename({long: dim for long, dim in dims.items() if long != dim})

    def _checked_times(self) -> np.ndarray:
        if "time" not in self.dataset.coords:
            raise ForcingError("forcing has a dim time without a coordinate; add the starts of the steps")
        index = self.dataset["time"].to_index()
        if not isinstance(index.dtype, np.dtype) or index.dtype.kind not in "MO" or len(index) == 0:
            raise ForcingError(
                f"forcing time: expected at least a date in UTC without time zone, got {len(index)} of {index.dtype}; "
                f"use decode_times=True, tz_convert('UTC') and tz_localize(None), or a period that holds data"
            )
        times = from_xarray_time(self.dataset["time"].values, self.calendar)
        for earlier, later in pairwise(times):
            self._check_step(earlier, later)
        bounds = self.dataset["time"].attrs.get("bounds", self.dataset["time"].encoding.get("bounds"))
        if bounds in self.dataset.variables:
            edges = from_xarray_time(self.dataset[bounds].transpose("time", ...).values, self.calendar)
            for time, (start, end) in zip(times, edges, strict=True):
                if (start, end) != (time, time + self.step):
                    raise ForcingError(
                        f"forcing time {time}: expected the start of an interval of {format_timestep(self.step)}, but "
                        f"{bounds} says {start} to {end}; label intervals by their start, in steps of the model"
                    )
        return times

    def _check_step(self, earlier: Any, later: Any) -> None:
        if later - earlier == self.step:
            return
        if later == earlier:
            fault = "appears twice; keep one"
        elif later < earlier:
            fault = f"follows {earlier}: not sorted; sort by time"
        elif (later - earlier) % self.step:
            step = format_timestep(self.step)
            fault = f"follows {earlier}: expected steps of {step}; bring the data to the model's timestep"
        else:
            missing = (later - earlier) // self.step - 1
            fault = f"follows {earlier}: {missing} steps are missing; fill the gap in sight, or split the run"
        raise ForcingError(f"forcing time {later} {fault}")

    def _chain(self, spec: FieldSpec) -> tuple[Transform, ...]:
        variable = self.variables[spec.name]
        if "units" not in variable.attrs:
            raise ForcingError(
                f"forcing {spec.name}: the variable has no attribute units; expected units that convert to "
                f"{spec.units!r}, such as attrs['units'] = {spec.units!r}"
            )
        names = {"units", "standard_name", "positive"} & set(variable.attrs)
        given: dict[str, Any] = {name: str(variable.attrs[name]) for name in names}
        given["cell_methods"] = f"time: {_statistic(variable, spec)}"
        try:
            return compile_transforms(
                replace(spec, **given),
                spec,
                ends="from data to model",
                seconds=self.step.total_seconds(),
                dictionary=self.graph.dictionary,
                water_density=self.graph.forcing_densities.get(spec.name),
            )
        except CrestError as error:
            raise ForcingError(f"forcing {spec.name}: {error}") from error

    def _read(self, spec: FieldSpec, first: int, steps: int, dtype: torch.dtype) -> torch.Tensor:
        variable = self.variables[spec.name]
        if not spec.static:
            variable = variable.isel(time=slice(first, first + steps))
        variable = variable.expand_dims([name for name in self.lead if name not in variable.dims])
        variable = variable.transpose(..., *self.lead, *spec.dims)
        raw = variable.values
        marks = [variable.attrs[key] for key in ("_FillValue", "missing_value") if key in variable.attrs]
        kind = np.float32 if raw.dtype == np.float32 else np.float64
        filled = np.isin(raw, np.array([*_FILL_VALUES, *marks], dtype=kind))
        values = torch.from_numpy(raw.astype(np.float64))
        for transform in self.chains[spec.name]:
            values = transform(values)
        values = values.to(dtype)  # what is too large for it becomes infinite
        low, high = self._bounds(spec)
        bad = ~(torch.isfinite(values) & (values >= low) & (values <= high)) | torch.from_numpy(filled)
        if bool(bad.any()):
            places = zip(variable.dims, bad.nonzero()[0].tolist(), strict=True)
            where = ", ".join(f"{dim} {self.times[first + i] if dim == 'time' else i}" for dim, i in places)
            raise ForcingError(
                f"forcing {spec.name} [{spec.units}]: expected finite values within [{low:g}, {high:g}], got "
                f"{float(values[bad][0]):g} at {where} ({int(bad.sum())} such values); mask fill values, fill gaps in "
                f"sight, or correct the units"
            )
        return values.expand([self.dataset.sizes[name] if name in self.lead else -1 for name in variable.dims])

    def _bounds(self, spec: FieldSpec) -> tuple[float, float]:
        """Return the possible range in the field's units: its own bounds, else the dictionary's."""
        entry = self.graph.dictionary.get(spec.standard_name)
        if spec.bounds is None and entry is not None and entry.bounds is not None:
            try:
                change = conversion(entry.canonical_units, spec.units)
                return change(entry.bounds[0]), change(entry.bounds[1])
            except CrestError:  # a depth where the dictionary says mass: its bounds do not carry over
                pass
        return spec.bounds or (float("-inf"), float("inf"))


def _statistic(variable: xr.DataArray, spec: FieldSpec) -> str:
    """Return what the variable's cell_methods say of time, else what the field asks for."""
    text = str(variable.attrs.get("cell_methods", ""))
    words = text.partition("time:")[2].split()
    if words and words[0] not in STATISTICS:
        raise ForcingError(f"forcing {spec.name}: cell_methods {text!r}; expected time: {' or '.join(STATISTICS)}")
    return words[0] if words else spec.statistic


def _compatible(spec: FieldSpec) -> tuple[str, ...]:
    return (spec.statistic,) if spec.statistic in ("minimum", "maximum") else ("mean", "sum", "point")


def _calendar(dataset: xr.Dataset) -> str:
    times = list(dataset["time"].values.ravel()) if "time" in dataset.coords else []
    return str(times[0].calendar) if times and isinstance(times[0], cftime.datetime) else "standard"
