"""FieldSpecs from what a library describes and what its author adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crest_core import HORIZONTAL, FieldError, FieldSpec
from crest_fortran.description import KINDS, LibraryDescription, LibraryField

Values = float | Sequence[float] | Tensor
_FIXED = ("name", "units")  # the numbers that the library takes mean what it says


class FieldRows(NamedTuple):
    """Where a field lies in the rows of its array."""

    name: str
    sizes: tuple[int, ...]
    """Of its window and its level dim, where it has them."""
    start: int
    stop: int


class Rows(NamedTuple):
    """The rows of all fields by kind."""

    inputs: tuple[FieldRows, ...]
    outputs: tuple[FieldRows, ...]
    states: tuple[FieldRows, ...]
    parameters: tuple[FieldRows, ...]


@dataclass(frozen=True, slots=True)
class ComponentSpecs:
    """The fields of a component by kind, and the sizes of its own dims."""

    inputs: tuple[FieldSpec, ...]
    outputs: tuple[FieldSpec, ...]
    states: tuple[FieldSpec, ...]
    parameters: tuple[FieldSpec, ...]
    dim_sizes: dict[str, int]

    def rows(self) -> Rows:
        """Return where every field lies."""
        return Rows(*map(self._rows_of, (self.inputs, self.outputs, self.states, self.parameters)))

    def _rows_of(self, specs: tuple[FieldSpec, ...]) -> tuple[FieldRows, ...]:
        found, start = [], 0
        for spec in specs:
            window = (spec.window,) if spec.window > 1 else ()
            sizes = (*window, *(self.dim_sizes[name] for name in spec.dims if name in self.dim_sizes))
            found.append(FieldRows(spec.name, sizes, start, start := start + prod(sizes)))
        return tuple(found)


def component_specs(description: LibraryDescription, overrides: Mapping[str, Mapping[str, Any]]) -> ComponentSpecs:
    """Return the specs of all fields; an override changes the fields of that name in every kind."""
    names = [field.name for field in description.fields]
    if unknown := sorted(set(overrides) - set(names)):
        raise FieldError(f"{description.name}: fields {unknown} are not in the library; it has {names}")
    dim_sizes: dict[str, int] = {}
    found: dict[str, list[FieldSpec]] = {kind: [] for kind in KINDS}
    for field in description.fields:
        spec = _spec(description.name, field, overrides.get(field.name, {}))
        _add_size(description.name, field, spec, dim_sizes)
        found[field.kind].append(spec)
    inputs, outputs, states, parameters = map(tuple, found.values())
    return ComponentSpecs(inputs, outputs, states, parameters, dim_sizes)


def _spec(who: str, field: LibraryField, override: Mapping[str, Any]) -> FieldSpec:
    allowed = [f.name for f in fields(FieldSpec) if f.name not in _FIXED]
    if wrong := sorted(set(override) - set(allowed)):
        raise FieldError(f"{who}: field {field.name} cannot have {wrong} overridden; possible: {allowed}")
    layers = (field.level_dim,) if field.levels > 1 else ()
    columns = () if field.kind == "parameter" else ("cell",)
    spec = FieldSpec(
        name=field.name,
        units=field.units,
        standard_name=field.standard_name,
        dims=(*layers, *columns),
        cell_methods=field.cell_methods,
        vertical=field.vertical,
        static=field.is_static or field.kind == "parameter",
        bounds=field.bounds,
        doc=field.doc,
    )
    spec = replace(spec, **override)
    if field.kind in ("output", "state") and not set(spec.dims) & set(HORIZONTAL):
        raise FieldError(f"{who}: {field.kind} {field.name} has dims {spec.dims}, expected one of {HORIZONTAL}")
    return spec


def _add_size(who: str, field: LibraryField, spec: FieldSpec, sizes: dict[str, int]) -> None:
    """Note the size of the level dim; FieldError where levels and dims do not fit each other."""
    own = [name for name in spec.dims if name not in HORIZONTAL]
    size, rest = divmod(field.levels, spec.window)
    if rest or len(own) > 1 or (not own and size > 1):
        raise FieldError(
            f"{who}: {field.kind} {field.name} has {field.levels} levels, dims {spec.dims} and "
            f"window {spec.window}; expected window times one level dim"
        )
    if own and sizes.setdefault(own[0], size) != size:
        raise FieldError(
            f"{who}: dim {own[0]} has {sizes[own[0]]} levels in one field and {size} in "
            f"{field.name}; give it another level_dim"
        )


def start_values(
    description: LibraryDescription,
    kind: str,
    specs: Sequence[FieldSpec],
    given: Mapping[str, Values],
) -> dict[str, Tensor]:
    """Return the given or else the library's own values, each () or (level,), in float64."""
    names = [spec.name for spec in specs]
    if unknown := sorted(set(given) - set(names)):
        raise FieldError(f"{description.name}: {kind}s {unknown} are not in the library; it has {names}")
    values = {}
    for field, spec in zip(description.of_kind(kind), specs, strict=True):
        value = torch.as_tensor(given.get(field.name, field.initial), dtype=torch.float64)
        levels = tuple(value.shape)
        if kind == "parameter" and set(spec.dims) & set(HORIZONTAL):
            if field.name not in given or levels in ((), (1,)):
                raise FieldError(
                    f"{description.name}: parameter {field.name} has dims {spec.dims}; give its values, one for each"
                )
        elif levels not in ((), (field.levels,)):
            raise FieldError(
                f"{description.name}: {kind} {field.name} has {field.levels} levels, got values "
                f"of shape {levels}; give one number, or one for each level"
            )
        else:
            value = value.expand(field.levels).clone() if field.levels > 1 else value.reshape(())
        low, high = spec.bounds or (float("-inf"), float("inf"))
        if not bool(((value >= low) & (value <= high)).all()):
            raise FieldError(
                f"{description.name}: {kind} {field.name} [{spec.units}] starts at {value.tolist()}, expected values "
                f"within {(low, high)}; look at the units"
            )
        values[field.name] = value
    return values
