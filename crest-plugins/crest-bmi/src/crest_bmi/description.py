"""What a component knows of a BMI model: its variables by role, its columns, its time step and first values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch
from torch import Tensor

from crest_bmi.grids import BmiGrid
from crest_bmi.model import Array, BmiModel
from crest_bmi.variables import Overrides, Variable, check_overrides, read_variable, settle
from crest_core import FieldError, FieldSpec, GridError, Sizes, Tensors

ROLES = ("input", "output", "state", "parameter")
TOKEN = "bmi_token"
"""The state of an opaque model: steps since the start, and a hash of the inputs since then."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The arguments of the calls that one step needs."""

    lead: tuple[int, ...]
    columns: tuple[int, ...]
    count: int
    arrays: Mapping[str, Array]
    """By BMI name, each (calls, numbers of the model)."""


@dataclass(frozen=True)
class Description:
    """A model's variables, by role, and their common columns: those of its grid, or cells for each of which it runs."""

    who: str
    roles: Mapping[str, tuple[Variable, ...]]
    flat: tuple[int, ...]
    """Sizes of the horizontal dims in the model, () for a model of one place."""
    start: Mapping[str, Array] = field(default_factory=dict)
    """First values of states and parameters, by BMI name."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables."""
        return tuple(one for role in ROLES for one in self.roles[role])

    @property
    def columns(self) -> tuple[str, ...]:
        """The horizontal dims of the component."""
        return ("y", "x") if len(self.flat) == 2 else ("cell",)

    @property
    def dim_sizes(self) -> dict[str, int]:
        """Sizes of the dims that the model brings, the horizontal ones aside."""
        return {dim: size for one in self.variables for dim, size in zip(one.spec.dims, one.own, strict=False)}

    def specs(self, role: str) -> tuple[FieldSpec, ...]:
        """Return the fields of a role."""
        return tuple(one.spec for one in self.roles[role])

    def check_columns(self, columns: Sequence[int]) -> None:
        """Raise GridError for other columns than the model's."""
        if self.flat and tuple(columns) != self.flat:
            raise GridError(
                f"{self.who}: expected {self.flat} places along {self.columns}, the grid of the model, got "
                f"{tuple(columns)}; give it data on its grid, or a grid of its own in the graph"
            )

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return the state of the model after `initialize`."""
        self.check_columns([sizes.dims[dim] for dim in self.columns if dim in sizes.dims])
        return {one.spec.name: one.initial(self.start[one.name], sizes) for one in self.roles["state"]}

    def rows(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> Rows:
        """Return the arguments of all calls; parameters first, for models that derive states from them."""
        groups = {"parameter": parameters, "state": state, "input": inputs}
        pairs = [(one, group[one.spec.name]) for role, group in groups.items() for one in self.roles[role]]
        spread = any(set(self.columns) & set(one.spec.dims) for one, _ in pairs)
        one, value = pairs[0]
        flat = len(self.columns) if spread else 0
        lead, columns = value.shape[: value.dim() - flat - len(one.own)], value.shape[value.dim() - flat :]
        if spread:
            self.check_columns(columns)
        count = prod(lead) * (1 if self.flat else prod(columns))
        arrays = {one.name: one.rows(value, len(lead)) for one, value in pairs}
        return Rows(tuple(lead), self.flat or tuple(columns), count, arrays)

    def room(self, calls: int) -> dict[str, Array]:
        """Return arrays for what the calls give: outputs and states, by BMI name."""
        after = (*self.roles["output"], *self.roles["state"])
        return {one.name: np.empty((calls, one.grid.size)) for one in after}

    def tensors(self, role: str, found: Mapping[str, Array], rows: Rows) -> Tensors:
        """Return the fields of a role of what the calls gave."""
        return {one.spec.name: one.tensor(found[one.name], rows.lead, rows.columns) for one in self.roles[role]}


def describe(model: BmiModel, names: Mapping[str, Sequence[str]], opaque: bool, overrides: Overrides) -> Description:
    """Return what a model says of the variables of each role, checked."""
    _check_names(model.who, names, opaque)
    check_overrides(model, overrides, {name for group in names.values() for name in group})
    raws = [read_variable(model, role, name, overrides) for role, group in names.items() for name in group]
    variables = settle(model.who, raws)
    flat = max((one.grid.shape[len(one.own) :] for one in variables), key=len)
    roles = {role: tuple(one for one, raw in zip(variables, raws, strict=True) if raw.role == role) for role in ROLES}
    start = {name: model.get(name) for role in ("state", "parameter") for name in names[role]}
    if opaque:
        columns = ("y", "x") if len(flat) == 2 else ("cell",)
        spec = FieldSpec(name=TOKEN, units="1", dims=(TOKEN, *columns), cell_methods="time: point")
        token = Variable(TOKEN, spec, np.dtype("f8"), BmiGrid("vector", (2,)), (2,), "spread" if flat else "looped")
        roles["state"] = (token,)
        start[TOKEN] = np.zeros(2)
    return Description(model.who, roles, flat, start)


def _check_names(who: str, names: Mapping[str, Sequence[str]], opaque: bool) -> None:
    """Raise FieldError for a variable in two roles that exclude each other, or a model with nothing to give."""
    if not names["output"]:
        raise FieldError(f"{who}: no outputs; name variables in outputs=")
    if not (opaque or names["input"] or names["state"]):
        raise FieldError(f"{who}: neither inputs nor states; a model that only follows its clock is opaque")
    entering = [name for role in ("input", "state", "parameter") for name in names[role]]
    if twice := sorted({name for name in entering if entering.count(name) > 1}):
        raise FieldError(f"{who}: {twice} are named twice among inputs, states and parameters; each has one role")


def start_parameters(described: Description) -> dict[str, float | Tensor]:
    """Return the values that the model gives its parameters, one for each or one for all columns."""
    values: dict[str, float | Tensor] = {}
    for one in described.roles["parameter"]:
        value = torch.from_numpy(described.start[one.name])
        shape = (*one.own, *(described.flat if set(one.spec.dims) & set(described.columns) else ()))
        if value.numel() != prod(shape) and not bool((value == value[0]).all()):
            raise FieldError(
                f"{described.who}: parameter {one.name!r} differs between columns, but its dims are {one.spec.dims}; "
                f"leave dims out of fields="
            )
        values[one.spec.name] = value[: prod(shape)].reshape(shape)
    return values
