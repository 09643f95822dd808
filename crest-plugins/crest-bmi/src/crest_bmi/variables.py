"""Variables of a BMI model as fields: names, units, number types, and how tensors become flat arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crest_bmi.grids import DEFAULT_DIMS, BmiGrid, read_grid
from crest_bmi.model import Array, BmiModel
from crest_core import HORIZONTAL, ComponentError, FieldError, FieldSpec, GridError, Sizes
from crest_core.plugins import near

Overrides = Mapping[str, Mapping[str, Any]]
_ALLOWED = tuple(one.name for one in fields(FieldSpec) if one.name != "window")  # BMI hands over one step


class Raw(NamedTuple):
    """A variable as the model tells it, before its dims are settled."""

    name: str
    role: str
    dtype: np.dtype[Any]
    grid: BmiGrid
    units: str
    override: Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """A variable of the model and its field.

    `way`: "grid" where the model holds all columns, "looped" where it holds one and is called for each,
    "shared" where all columns share its value; "spread" is that, with the value repeated for each of them.
    """

    name: str
    spec: FieldSpec
    dtype: np.dtype[Any]
    grid: BmiGrid
    own: tuple[int, ...]
    """Sizes of its dims that are not horizontal."""
    way: Literal["grid", "looped", "shared", "spread"]

    def rows(self, value: Tensor, leads: int) -> Array:
        """Return (calls, numbers of the model) of a tensor (*lead, *own, *columns)."""
        count, calls = prod(self.own), prod(value.shape[:leads])
        if self.way == "looped":
            return value.movedim(-1, leads).reshape(-1, count).numpy()
        if self.way == "grid":
            return value.reshape(calls, -1).numpy()
        columns = value.reshape(calls, count, -1)
        first = columns[..., :1]
        return (first if bool((columns == first).all()) else columns.mean(-1, keepdim=True)).squeeze(-1).numpy()

    def tensor(self, rows: Array, lead: Sequence[int], columns: Sequence[int]) -> Tensor:
        """Return the tensor (*lead, *dims) of what the calls gave."""
        values = torch.from_numpy(rows)
        if self.way == "looped":
            return values.reshape(*lead, *columns, *self.own).movedim(len(lead), -1).contiguous()
        if self.way == "spread":
            return values.reshape(*lead, *self.own, *[1] * len(columns)).expand(*lead, *self.own, *columns)
        return values.reshape(*lead, *self.own, *(columns if self.way == "grid" else ()))

    def initial(self, value: Array, sizes: Sizes) -> Tensor:
        """Return what the model starts with, (*lead, *dims) in float64."""
        flat = len(self.spec.dims) - len(self.own)
        shape = sizes.shape(self.spec)
        columns = shape[len(shape) - flat :] if self.way == "grid" else [1] * flat
        level = torch.from_numpy(value).to(sizes.device).reshape(*self.own, *columns)
        return level.expand(shape).clone()


def read_variable(model: BmiModel, role: str, name: str, overrides: Overrides) -> Raw:
    """Return what the model says of one variable."""
    override = overrides.get(name, {})
    if wrong := sorted(set(override) - set(_ALLOWED)):
        raise FieldError(f"{model.who}: variable {name!r} cannot have {wrong} overridden; possible: {list(_ALLOWED)}")
    dtype, grid = model.dtype(name), read_grid(model, name)
    if dtype.kind != "f" and role in ("input", "parameter"):
        raise FieldError(
            f"{model.who}: {role} {name!r} is of type {dtype}, expected real numbers; leave it out of {role}s=, it "
            f"keeps the value that the configuration gives"
        )
    units = override.get("units", "") or str(model.ask("get_var_units", name))
    return Raw(name, role, dtype, grid, units, override)


def check_overrides(model: BmiModel, overrides: Overrides, names: Iterable[str]) -> None:
    """Raise FieldError for overrides of variables that the model does not know."""
    used = list(names)
    for name in set(overrides) - set(used):
        try:
            model.ask("get_var_units", name)
        except ComponentError as error:
            raise FieldError(f"{error}: fields= names {name!r}{near(name, used)}; in use: {sorted(used)}") from error


def settle(who: str, raws: Sequence[Raw]) -> list[Variable]:
    """Return the variables with their dims: one horizontal grid for all, or none where every grid is one place."""
    grids = {_flat_shape(who, raw): raw.name for raw in raws}
    grids.pop((), None)
    if len(grids) > 1:
        told = ", ".join(f"{name!r} has {shape}" for shape, name in grids.items())
        raise GridError(f"{who}: expected one horizontal grid for all variables, but {told}; leave some out")
    variables = [_variable(who, raw, lumped=not grids) for raw in raws]
    for role in ("input", "output", "state", "parameter"):
        names = [one.spec.name for one, raw in zip(variables, raws, strict=True) if raw.role == role]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise FieldError(f"{who}: two {role}s would be called {twice}; give one a name in fields=")
    return variables


def _own_dims(who: str, raw: Raw) -> tuple[str, ...]:
    """Return the dims of a variable that are not horizontal and that its grid has."""
    dims = raw.override.get("dims")
    if dims is None:
        return () if len(raw.grid.shape) < 3 else ("z",)
    own = tuple(dim for dim in dims if dim not in HORIZONTAL)
    rank, flat = len(raw.grid.shape), len(dims) - len(own)
    spread = not dims and raw.role == "parameter"
    if own != dims[: len(own)] or not (rank in (len(dims), len(own)) or spread):
        raise FieldError(
            f"{who}: variable {raw.name!r} has grid {raw.grid.kind} {raw.grid.shape}, which the dims {dims} do not "
            f"fit; expected one for each of its axes, horizontal ones last, or 'cell' beside those of one column"
        )
    return own if rank or not flat else ()


def _flat_shape(who: str, raw: Raw) -> tuple[int, ...]:
    """Return the sizes of the horizontal dims in the model."""
    return raw.grid.shape[len(_own_dims(who, raw)) :]


def _variable(who: str, raw: Raw, lumped: bool) -> Variable:
    own_dims, shape = _own_dims(who, raw), raw.grid.shape
    own, flat = shape[: len(own_dims)], shape[len(own_dims) :]
    horizontal: tuple[str, ...] = DEFAULT_DIMS[len(flat)]
    if lumped and raw.role != "parameter":
        horizontal = ("cell",)
    given: dict[str, Any] = {"name": _plain(who, raw.name), "dims": (*own_dims, *horizontal), "units": raw.units}
    if raw.role == "state":
        given["cell_methods"] = "time: point"
    given |= {**raw.override, "units": raw.units}
    if raw.role == "parameter":
        given["static"] = True
    try:
        spec = FieldSpec(**given)
    except FieldError as error:
        raise FieldError(
            f"{who}: {raw.role} {raw.name!r}: {error}; override it with fields={{{raw.name!r}: {{'units': ...}}}}"
        ) from error
    return Variable(raw.name, spec, raw.dtype, raw.grid, own, "looped" if lumped else "grid" if flat else "shared")


def _plain(who: str, name: str) -> str:
    """Return a field name for a BMI name: "Q_OUT" is q_out, "land~wet__depth" is land_wet_depth."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not re.match("[a-z]", plain):
        raise FieldError(
            f"{who}: variable {name!r} needs a field name; give it one: fields={{{name!r}: {{'name': ...}}}}"
        )
    return plain
