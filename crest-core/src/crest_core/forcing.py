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

from crest_core.component import Sizes, Tensors
from crest_core.connection import Transform, compile_transforms
from crest_core.errors import ForcingError
from crest_core.graph import Graph
from crest_fields.cell_methods import time_statistic
from crest_fields.clock import Clock, format_timestep, from_xarray_time, parse_timestep
from crest_fields.errors import CrestError, TimeError, near
from crest_fields.fields import STATISTICS, FieldSpec
from crest_fields.units import conversion, is_convertible

LEAD = ("member", "sample")
_FILL_VALUES = (-9999.0, -999.0, -99999.0, -32768.0, 9.969209968386869e36, 1e20, 1e30, 1e35, 1e36)


class PeriodError(ForcingError, TimeError):
    """A period that is none, or that the forcing does not cover."""


class Forcing:
    """The forcing of a model: every field found, its units, dims and times checked once.

    Fields are looked up by variable name, then by the attribute standard_name (not those of one depth, which it does
    not tell). A missing attribute cell_methods is read as what the model asks for. Fields of a component on the named
    grid G have the dims cell_G, or y_G and x_G.
    """

    def __init__(self, dataset: xr.Dataset, graph: Graph, calendar: str | None = None) -> None:
        self.dataset, self.graph, self.step = dataset, graph, parse_timestep(graph.timestep)
        self.variables: dict[str, xr.DataArray] = {}
        self.chains: dict[str, tuple[Transform, ...]] = {}
        self.places: set[str] = set()  # the dims of places, as the data name them
        for spec, variable in self._found():
            self.places |= {*map(str, variable.dims)} - {"time", *LEAD, *graph.dim_sizes}
            try:
                self.variables[spec.name] = self._on_grid(spec, variable)
                self.chains[spec.name] = self._chain(spec, variable)
            except CrestError as error:
                raise ForcingError(f"forcing {spec.name}: {error}") from error
        times = dataset["time"].values.ravel() if "time" in dataset.coords else ()
        cftimes = (time for time in times[:1] if isinstance(time, cftime.datetime))
        self.calendar = calendar or next((str(time.calendar) for time in cftimes), "standard")
        self.times = np.empty(0, dtype=object) if all(spec.static for spec in graph.inputs) else self._checked_times()
        used = {name for variable in self.variables.values() for name in variable.dims}
        self.lead = tuple(name for name in LEAD if name in used)

    def clock(self, start: Any = None, end: Any = None, steps_before: int = 0) -> Clock:
        """Return the clock of a run; by default all times after the `steps_before` that windows need."""
        if len(self.times) == 0:
            if start is None or end is None:
                raise ForcingError("a run without forcing in time needs start= and end=")
            return Clock(start, end, self.step, self.calendar)
        first, last, before = self.times[0], self.times[-1] + self.step, steps_before * self.step
        start, end = first + before if start is None else start, last if end is None else end
        clock = Clock(start, end, self.step, self.calendar)
        if clock.start - before < first or clock.end > last:
            earlier = f" (the windows need {steps_before} earlier steps)" if steps_before else ""
            raise ForcingError(
                f"the run needs forcing from {clock.start - before} to {clock.end}{earlier}, but the data hold {first} "
                f"to {last}; shorten the period or extend the data"
            )
        if (clock.start - first) % self.step:
            raise ForcingError(
                f"the run starts at {clock.start}, which is not one of the data's times ({first} and every "
                f"{format_timestep(self.step)}); start at one of them"
            )
        return clock

    def sizes(self, dtype: torch.dtype) -> Sizes:
        """Return the sizes of the dims that the forcing brings, those of named grids aside."""
        own = [spec for spec in self.graph.inputs if self.graph.forcing_grids[spec.name] is None]
        dims = {dim: self.variables[spec.name].sizes[dim] for spec in own for dim in spec.dims}
        return Sizes(dims, tuple(self.dataset.sizes[name] for name in self.lead), dtype)

    def tensors(self, start: Any, steps: int, dtype: torch.dtype) -> Tensors:
        """Return `steps` steps from the date `start`: each field (time, *lead, *dims), static without time."""
        first = int((start - self.times[0]) / self.step) if len(self.times) else 0
        return {spec.name: self._read(spec, first, steps, dtype) for spec in self.graph.inputs}

    def _found(self) -> list[tuple[FieldSpec, xr.DataArray]]:
        """Return each field with its variable; the error names all fields that have none, or several."""
        found, faults, data = [], [], self.dataset
        held = [str(name) for name in data.data_vars]
        for spec in self.graph.inputs:
            exact = spec.name in data.variables
            named = [spec.name] if exact else [name for name in held if _is_named(data[name].attrs, spec)]
            if len(named) == 1:
                found.append((spec, data[named[0]]))
                continue
            hint = f"{near(spec.name, held)} {self.graph.near.get(spec.name, '')}".rstrip()
            fault = f"no variable has this name or standard name{hint}"
            if named:
                fault = f"the variables {named} all have this standard name; rename the right one to {spec.name!r}"
            faults.append(f"forcing lacks {spec.name} ({spec.describe()}): {fault}")
        if faults:
            raise ForcingError("\n".join([*faults, f"the data hold {', '.join(held) or 'nothing'}"]))
        return found

    def _on_grid(self, spec: FieldSpec, variable: xr.DataArray) -> xr.DataArray:
        """Return the variable with the field's own dims, which a named grid has under longer names."""
        name = self.graph.forcing_grids[spec.name]
        sizes = self.graph.grids[name].sizes if name else {}
        dims = {f"{dim}_{name}" if dim in sizes else dim: dim for dim in spec.dims}
        expected = [*dims] if spec.static else ["time", *dims]
        if set(variable.dims) - set(LEAD) != set(expected):
            raise ForcingError(
                f"expected the dims {expected} (and optionally member, sample), got {variable.dims}; rename, select or "
                f"expand dims; a map is stacked by data.stack(cell=('lat', 'lon')).reset_index('cell')"
            )
        for long, dim in dims.items():
            known = {**self.graph.dim_sizes, **sizes}.get(dim, variable.sizes[long] or 1)
            if known != variable.sizes[long]:
                raise ForcingError(f"expected {known} along {long}, got {variable.sizes[long]}")
        if variable.dtype.kind not in "fiu" or {"scale_factor", "add_offset"} & set(variable.attrs):
            raise ForcingError(
                f"expected plain numbers, got {variable.dtype} with attributes {sorted(variable.attrs)}; open packed "
                f"data with mask_and_scale=True, give time spans in a unit"
            )
        return variable.rename({long: dim for long, dim in dims.items() if long != dim})

    def _chain(self, spec: FieldSpec, variable: xr.DataArray) -> tuple[Transform, ...]:
        """Return what turns the variable into the field: its attributes say what it is."""
        attributes, statistic = variable.attrs, _statistic(variable.attrs, spec)
        methods = attributes.get("cell_methods", spec.cell_methods)
        if statistic not in STATISTICS:
            raise ForcingError(f"cell_methods {methods!r}; expected time: {' or '.join(STATISTICS)}")
        given: dict[str, Any] = {
            key: str(attributes[key]) for key in {"units", "standard_name", "positive"} & {*attributes}
        }
        source = replace(spec, **given, cell_methods=f"time: {statistic}")
        names = [name for name in (source.standard_name, spec.standard_name) if name]
        if len({self.graph.dictionary.resolve(name)[0] for name in names}) > 1:
            raise ForcingError(f"expected standard_name {names[1]!r}, got {names[0]!r}; rename one of them")
        if not spec.static and source.quantity.statistic != spec.quantity.statistic:
            raise ForcingError(f"expected cell_methods {spec.cell_methods!r}, got {methods!r}: another quantity")
        if "units" not in variable.attrs:
            raise ForcingError(f"the variable has no attribute units; set it to units that convert to {spec.units!r}")
        return compile_transforms(
            source,
            spec,
            ends="from data to model",
            seconds=self.step.total_seconds(),
            dictionary=self.graph.dictionary,
            water_density=self.graph.forcing_densities.get(spec.name),
        )

    def _checked_times(self) -> np.ndarray:
        if "time" not in self.dataset.coords:
            raise ForcingError("forcing has a dim time without a coordinate; add the starts of the steps")
        coordinate, step = self.dataset["time"], format_timestep(self.step)
        index = coordinate.to_index()
        if not isinstance(index.dtype, np.dtype) or index.dtype.kind not in "MO" or len(index) == 0:
            raise ForcingError(
                f"forcing time: expected at least a date in UTC without time zone, got {len(index)} of {index.dtype}; "
                f"use decode_times=True, tz_convert('UTC') and tz_localize(None), or a period that holds data"
            )
        times = from_xarray_time(coordinate.values, self.calendar)
        for before, time in pairwise(times):
            if (gap := time - before) != self.step:
                missing, rest = divmod(gap, self.step)
                faults = {  # the first that holds
                    "appears twice; keep one": time == before,
                    f"follows {before}: not sorted; sort by time": time < before,
                    f"follows {before}: expected steps of {step}; bring the data to the model's timestep": rest,
                    f"follows {before}: {missing - 1} steps are missing; fill the gap in sight, or split the run": True,
                }
                raise ForcingError(f"forcing time {time} {next(fault for fault, holds in faults.items() if holds)}")
        bounds = coordinate.attrs.get("bounds", coordinate.encoding.get("bounds"))
        if bounds in self.dataset.variables:
            edges = from_xarray_time(self.dataset[bounds].transpose("time", ...).values, self.calendar)
            for time, (start, end) in zip(times, edges, strict=True):
                if (start, end) != (time, time + self.step):
                    raise ForcingError(
                        f"forcing time {time}: expected the start of an interval of {step}, but {bounds} says {start} "
                        f"to {end}; label intervals by their start, in steps of the model"
                    )
        return times

    def _read(self, spec: FieldSpec, first: int, steps: int, dtype: torch.dtype) -> torch.Tensor:
        variable = self.variables[spec.name]
        if not spec.static:
            variable = variable.isel(time=slice(first, first + steps))
        variable = variable.expand_dims([name for name in self.lead if name not in variable.dims])
        variable = variable.transpose(..., *self.lead, *spec.dims)
        try:
            raw = variable.values
        except CrestError:  # of a reader that knows more
            raise
        except (OSError, RuntimeError, ValueError, LookupError) as error:  # how libraries of files tell damage
            span = "" if spec.static else f" from {self.times[first]} to {self.times[first + steps - 1] + self.step}"
            told = f"{variable.encoding.get('source', 'the data')} cannot be read{span}: {error}; mend the file"
            raise ForcingError(f"forcing {spec.name}: {told}") from error
        marks = [variable.attrs[key] for key in ("_FillValue", "missing_value") if key in variable.attrs]
        filled = np.isin(raw, np.array([*_FILL_VALUES, *marks], dtype=np.result_type(raw.dtype, np.float32)))
        values = torch.from_numpy(raw.astype(np.float64))
        for transform in self.chains[spec.name]:
            values = transform(values)
        values = values.to(dtype)  # what is too large for it becomes infinite
        low, high = self._bounds(spec)
        bad = ~(torch.isfinite(values) & (values >= low) & (values <= high)) | torch.from_numpy(filled)
        if spec.gaps:
            values = values.masked_fill(torch.from_numpy(filled), torch.nan)
            bad &= ~torch.isnan(values)
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
        if spec.bounds or not entry or not entry.bounds or not is_convertible(entry.canonical_units, spec.units):
            return spec.bounds or (float("-inf"), float("inf"))  # bounds of a mass do not carry over to a depth
        low, high = map(conversion(entry.canonical_units, spec.units), entry.bounds)
        return low, high


def _is_named(attributes: dict[str, Any], spec: FieldSpec) -> bool:
    """Return whether standard name and statistic are the field's, and tell all that there is to tell."""
    statistics = {_statistic(attributes, spec), spec.statistic}
    alike = len(statistics) == 1 or not statistics & {"minimum", "maximum"}
    return spec.vertical is None and attributes.get("standard_name", "") == spec.standard_name != "" and alike


def _statistic(attributes: dict[str, Any], spec: FieldSpec) -> str:
    """Return what the attribute cell_methods says of time, else what the field asks for."""
    return time_statistic(str(attributes.get("cell_methods", ""))) or spec.statistic
