"""FortranComponent: a compiled library as a component of a graph, on the gradient tape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import torch

from crest_core import (
    BlackBoxComponent,
    ComponentError,
    FiniteDifference,
    Gradient,
    GradientError,
    NoGradient,
    Pullback,
    Sizes,
    Tensors,
    parse_timestep,
)
from crest_fortran.library import Array, Arrays, FortranLibrary
from crest_fortran.protocol import PULLBACK
from crest_fortran.shipped import shipped_library
from crest_fortran.specs import FieldRows, Values, component_specs, start_values

Shape = tuple[torch.Size, torch.Size]
"""Leading dims, and columns."""
Layers = Mapping[str, tuple[tuple[float, float], ...]]


class FortranComponent(BlackBoxComponent):
    """A shared library with CREST C interface 1; all columns, finite-difference copies too, in one call.

    Fields, parameters, defaults and initial state come from the library; `fields` adds to what it says, as
    {"wetness": {"vertical": (0.0, 0.6)}}, and `layers` the depth bounds [m] of its dims. By default the library runs
    in a child process; see FortranLibrary. Gradients are finite differences unless another strategy is given;
    Pullback() uses the library's own adjoint, its function crest_pullback. An opaque library gets NoGradient().
    """

    def __init__(
        self,
        path: str | Path,
        *,
        parameters: Mapping[str, Values] | None = None,
        initial: Mapping[str, Values] | None = None,
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        layers: Layers | None = None,
        gradient: Gradient | None = None,
        timestep: str = "1D",
        opaque: bool = False,
        isolation: str = "process",
        deadline: float = 60.0,
    ) -> None:
        library = FortranLibrary(path, isolation=isolation, deadline=deadline, opaque=opaque)
        description = library.description
        specs = component_specs(description, fields or {})
        values = start_values(description, "parameter", specs.parameters, parameters or {})
        start = start_values(description, "state", specs.states, initial or {})
        self.inputs, self.outputs, self.states = specs.inputs, specs.outputs, specs.states
        self.parameter_specs, self.dim_sizes = specs.parameters, specs.dim_sizes
        self.layers = _checked_layers(library.who, layers or {}, specs.dim_sizes)
        self.timestep, self.opaque = timestep, description.opaque
        standard = NoGradient() if description.opaque else FiniteDifference()
        if isinstance(gradient, Pullback) and not description.pullback:
            raise GradientError(
                f"{library.who}: gradient=Pullback() needs the adjoint of the step, and it exports no function "
                f"crest_pullback; write one, or leave gradient= out for finite differences"
            )
        super().__init__(gradient=gradient or standard, parameters=values)
        self.library = library
        self._start = start
        self._rows = specs.rows()
        self._flat = len(self.outputs[0].dims) - len(self._rows.outputs[0].sizes)
        self._seconds = parse_timestep(timestep).total_seconds()

    @staticmethod
    def shipped(name: str) -> Path:
        """Return the path of a library that this package ships, such as "soil_bucket"."""
        return shipped_library(name)

    def extra_repr(self) -> str:
        """Return library, file hash and initial state, for print and the graph hash; no path, it differs by machine."""
        library = f"{self.library.description.name} {self.library.description.version}".strip()
        start = ", ".join(f"{name}={level.tolist()}" for name, level in self._start.items())
        return "\n".join(
            [f"library {library}, sha256 {self.library.sha256}", *([f"initial state {start}"] if start else [])]
        )

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the library's initial values, or those given, in float64."""
        sizes = replace(sizes, dims={**sizes.dims, **self.dim_sizes}, dtype=torch.float64)
        state = {}
        for spec in self.states:
            level = self._start[spec.name].to(sizes.device)
            level = level.reshape(*level.shape, *[1] * self._flat) if level.dim() else level
            state[spec.name] = sizes.zeros(spec) + level
        return state

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state) of one timestep; a failure names the library and the time."""
        try:
            return super().step(state, inputs, time)
        except ComponentError as error:
            who = self.library.who
            reason = str(error).removeprefix(f"{who}: ")
            raise ComponentError(f"{who}, step at {time}: {reason}") from error

    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return (outputs, new state) of one call for all columns of all leading dims."""
        with self.library.lock:
            arrays, shape = self._filled(state, inputs, parameters)
            self.library.run(self._seconds)
            return _take(arrays.outputs, self._rows.outputs, shape), _take(arrays.state_out, self._rows.states, shape)

    def pullback(
        self, state: Tensors, inputs: Tensors, parameters: Tensors, outputs: Tensors, new_state: Tensors
    ) -> tuple[Tensors, Tensors, Tensors]:
        """Return the gradients (state, inputs, parameters) of one call of the library's own adjoint."""
        rows = self._rows
        with self.library.lock:
            arrays, shape = self._filled(state, inputs, parameters)
            _fill(arrays.d_outputs, rows.outputs, outputs, len(shape[0]))
            _fill(arrays.d_state_out, rows.states, new_state, len(shape[0]))
            self.library.run(self._seconds, PULLBACK)
            d_state, d_inputs = _take(arrays.d_state_in, rows.states, shape), _take(arrays.d_inputs, rows.inputs, shape)
            return d_state, d_inputs, _take(arrays.d_parameters, rows.parameters, shape)

    def _filled(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Arrays, Shape]:
        """Return the library's memory with the arguments in it, and their leading dims and columns."""
        parts = ((self._rows.states, state), (self._rows.inputs, inputs), (self._rows.parameters, parameters))
        rows, example = next((field, part[field.name]) for fields, part in parts for field in fields)
        first = example.dim() - self._flat
        shape = example.shape[: first - len(rows.sizes)], example.shape[first:]
        arrays = self.library.arrays(prod(shape[0]) * prod(shape[1]))
        for block, (fields, values) in zip((arrays.state_in, arrays.inputs, arrays.parameters), parts, strict=True):
            _fill(block, fields, values, len(shape[0]))
        return arrays, shape


def _checked_layers(who: str, layers: Layers, sizes: Mapping[str, int]) -> Layers:
    for dim, bounds in layers.items():
        if sizes.get(dim) != len(bounds):
            raise ComponentError(
                f"{who}: layers of {dim!r} are {len(bounds)} pairs of depths, expected one for each level of "
                f"{dict(sizes)}; give top and bottom of every level"
            )
    return layers


def _fill(block: Array, fields: Sequence[FieldRows], values: Tensors, leads: int) -> None:
    """Write the fields (*lead, [window,] [level,] *columns) into the rows of a block."""
    for name, sizes, start, stop in fields:
        value = values[name]
        if leads and sizes:
            own = range(len(sizes))
            value = value.movedim([leads + axis for axis in own], list(own))
        block[start:stop] = value.reshape(stop - start, -1).numpy()


def _take(block: Array, fields: Sequence[FieldRows], shape: Shape) -> Tensors:
    """Return the fields of a block, each a tensor (*lead, [level,] *columns) with memory of its own."""
    lead, columns = shape
    taken = {}
    for name, sizes, start, stop in fields:
        values = torch.from_numpy(block[start:stop].copy()).reshape(*sizes, *lead, *columns)
        taken[name] = values.movedim(0, len(lead)).contiguous() if sizes and lead else values
    return taken
