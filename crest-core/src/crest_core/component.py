"""Component: declared fields around one pure function on plain tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from crest_core.errors import StateError, StoreError
from crest_fields.fields import FieldSpec

Tensors = dict[str, Tensor]
FIELD_GROUPS = {"inputs": "inputs", "outputs": "outputs", "states": "states", "parameter_specs": "parameters"}
FIELD_COLUMNS = ("name", "units", "standard name", "dims", "time", "bounds", "meaning")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the dims a component runs on, the leading dims, and the number type.

    >>> Sizes({"cell": 3}, lead=(2,)).full(FieldSpec(name="swe", units="kg m-2"), 5.0).shape
    torch.Size([2, 3])
    """

    dims: Mapping[str, int]
    lead: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    device: torch.device | str = "cpu"

    def shape(self, spec: FieldSpec) -> tuple[int, ...]:
        """Return the shape of one time of a field: (*lead, *dims)."""
        if missing := [name for name in spec.dims if name not in self.dims]:
            raise StateError(f"field {spec.name}: the sizes of {missing} are not known, only {dict(self.dims)}")
        return (*self.lead, *(self.dims[name] for name in spec.dims))

    def full(self, spec: FieldSpec, value: float) -> Tensor:
        """Return a tensor (*lead, *dims) that holds one value, in the units of the field."""
        return torch.full(self.shape(spec), value, dtype=self.dtype, device=self.device)

    def zeros(self, spec: FieldSpec) -> Tensor:
        return self.full(spec, 0.0)


class Component(nn.Module, ABC):
    """A model with declared fields; write a StepComponent or a SequenceComponent.

    Shapes: (time, *lead, *dims); a step has no time axis; static inputs have none either; an input with
    window n > 1 has it right after time. Leading dims (member, sample) pass through.
    `step` and `sequence` are pure: no memory outside `state`, arguments are not changed.
    """

    inputs: tuple[FieldSpec, ...] = ()
    outputs: tuple[FieldSpec, ...] = ()
    states: tuple[FieldSpec, ...] = ()
    parameter_specs: tuple[FieldSpec, ...] = ()
    timestep: str = "1D"
    grid: str | None = None
    dim_sizes: Mapping[str, int] = {}  # sizes of the dims that the component brings itself: {"soil_layer": 2}
    layers: Mapping[str, tuple[tuple[float, float], ...]] = {}  # depths [m]: {"soil_layer": ((0.0, 0.2), (0.2, 0.6))}
    gradient_policy: str = "autograd"  # or pullback, finite_difference, spsa, none
    opaque: bool = False  # True if the model hides its state: no gradient and no restart
    conserves: tuple[str, ...] = ()  # balances that close in every step: "water: rain = runoff + d(storage)"
    history: Mapping[str, int] = {}  # steps before the first that `prime` must get, by input, for windows of a graph

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the state before the first step, each (*lead, *dims)."""
        names, kind = [spec.name for spec in self.states], type(self).__name__
        if names:
            raise StateError(f"{kind} declares the states {names} but no initial_state(sizes); write one")
        return {}

    def prime(self, state: Tensors, earlier: Tensors) -> Tensors:
        """Return the state with its input windows filled from `earlier`, each (steps, *lead, *dims)."""
        return state

    def _repr_html_(self) -> str:
        rows = [(title, *field_row(spec)) for key, title in FIELD_GROUPS.items() for spec in getattr(self, key)]
        head = "".join(f"<th>{name}</th>" for name in ("", *FIELD_COLUMNS))
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        about = f"timestep {escape(self.timestep)}, gradient policy {self.gradient_policy}"
        return f"<b>{type(self).__name__}</b> ({about})<table><tr>{head}</tr>{body}</table>"

    def load_weights(self, path: str | Path) -> None:
        """Read parameters and buffers from a safetensors file with the names of `state_dict`."""
        try:
            self.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise StoreError(f"weights {path} do not fit {type(self).__name__}: {reason}") from error

    @abstractmethod
    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return (outputs, state at the end) of one timestep that starts at `time`."""

    @abstractmethod
    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs with time first, state after the last step) of T timesteps."""

    def forward(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        return self.sequence(state, inputs, times)


class StepComponent(Component):
    """A component whose author writes `step`; `sequence` loops over it.

    >>> class Store(StepComponent):
    ...     inputs = (FieldSpec(name="rain", units="mm day-1"),)
    ...     states = outputs = (FieldSpec(name="water", units="mm", cell_methods="time: point"),)
    ...     def initial_state(self, sizes):
    ...         return {"water": sizes.zeros(self.states[0])}
    ...     def step(self, state, inputs, time):
    ...         water = state["water"] + inputs["rain"]
    ...         return {"water": water}, {"water": water}
    >>> outputs, state = Store()({"water": torch.zeros(1)}, {"rain": torch.ones(3, 1)}, range(3))
    >>> outputs["water"].flatten().tolist()
    [1.0, 2.0, 3.0]
    """

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        static = {spec.name: inputs[spec.name] for spec in self.inputs if spec.static}
        moving = {spec.name: inputs[spec.name].unbind(0) for spec in self.inputs if not spec.static}
        steps = []
        for index, time in enumerate(times):
            outputs, state = self.step(state, static | {name: moving[name][index] for name in moving}, time)
            steps.append(outputs)
        return {spec.name: torch.stack([step[spec.name] for step in steps]) for spec in self.outputs}, state


class SequenceComponent(Component):
    """A component whose author writes a causal `sequence`; `step` is a sequence of length 1."""

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        static = {spec.name for spec in self.inputs if spec.static}
        batch = {name: value if name in static else value.unsqueeze(0) for name, value in inputs.items()}
        outputs, state = self.sequence(state, batch, [time])
        return {name: value.squeeze(0) for name, value in outputs.items()}, state


def field_row(spec: FieldSpec) -> tuple[str, ...]:
    """Return what a table shows of a field, by FIELD_COLUMNS."""
    bounds = f"{spec.bounds[0]:g} to {spec.bounds[1]:g}" if spec.bounds else ""
    time = ("static" if spec.static else spec.statistic) + (f", {spec.window} steps" if spec.window > 1 else "")
    time += ", gaps" if spec.gaps else ""
    name = spec.standard_name + (f" ({spec.vertical[0]:g}-{spec.vertical[1]:g} m)" if spec.vertical else "")
    return spec.name, spec.units, name, ", ".join(spec.dims), time, bounds, spec.doc
