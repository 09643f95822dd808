"""Ports: what a dataset holds, as the fields that a model takes and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import xarray as xr

from crest_core import Component, CrestError, FieldSpec, ForcingError, Graph, conversion
from crest_core.plugins import near


@runtime_checkable
class Standardisable(Protocol):
    """A component that scales its fields by statistics of the training period, and keeps them with its weights."""

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Scale the fields that are named by (value - mean) / std, in their units."""


def as_fields(data: xr.Dataset, specs: Sequence[FieldSpec], names: Mapping[str, str], who: str) -> xr.Dataset:
    """Return variables of a dataset under the names of fields and in their units.

    A variable is the one of `names`, else that of the field's name, else the only one of its standard name and
    statistic. Units are converted where a factor and an offset can do it; all else is an error.
    """
    known = [spec.name for spec in specs]
    if unknown := [name for name in names if name not in known]:
        raise ForcingError(
            f"no {who} {unknown[0]!r} for which a variable could be named; there are {', '.join(known)}"
            f"{near(unknown[0], known)}"
        )
    found = {}
    for spec in specs:
        variable = data[_variable(data, spec, names, who)]
        units = variable.attrs.get("units")
        if units is None:
            raise ForcingError(f"{who} {spec.name}: {variable.name} has no attribute units; expected {spec.units!r}")
        try:
            change = conversion(str(units), spec.units)
        except CrestError as error:
            raise ForcingError(f"{who} {spec.name}: {variable.name}: {error}") from error
        values = variable if change.is_identity else variable.copy(data=change(variable.values))
        found[spec.name] = values.assign_attrs({**variable.attrs, "units": spec.units}).rename(spec.name)
    coordinates = {name: data[name] for name in ("cell_id", "lat", "lon") if name in data.variables}
    return xr.Dataset(found).assign_coords(coordinates).assign_attrs(data.attrs)


def check_within(data: xr.Dataset, period: tuple[str, str]) -> None:
    """Raise ForcingError where a period, without its end, begins before or ends after the data."""
    times = data["time"].values
    first, end = (str(one)[:10] for one in (times[0], times[-1] + (times[-1] - times[-2])))
    if period[0][:10] < first or period[1][:10] > end:
        raise ForcingError(
            f"{period[0]} to {period[1]} is not within the forcing, which holds {first} to {end}; take a shorter period"
        )


def standardise(
    model: Component, mean: Mapping[str, float], std: Mapping[str, float], skipped: set[str]
) -> dict[str, list[str]]:
    """Scale the components of a model that can be scaled; return which of their fields were.

    A name may be `component.field`, which counts before that of the field alone. Components that are `skipped` came
    with weights, to which their scaling belongs.
    """
    children = model.components if isinstance(model, Graph) else {"model": model}
    declared = {key: [spec.name for spec in (*one.inputs, *one.outputs)] for key, one in children.items()}
    done = {}
    for name, child in children.items():
        if not isinstance(child, Standardisable) or name in skipped:
            continue
        keys = {field: f"{name}.{field}" if f"{name}.{field}" in mean else field for field in declared[name]}
        keys = {field: key for field, key in keys.items() if key in mean}
        child.standardise({f: mean[key] for f, key in keys.items()}, {f: std[key] for f, key in keys.items()})
        done[name] = list(keys)
    return done


def _variable(data: xr.Dataset, spec: FieldSpec, names: Mapping[str, str], who: str) -> str:
    if (wanted := names.get(spec.name, spec.name)) in data:
        return wanted
    if spec.name in names:
        raise ForcingError(f"{who} {spec.name}: no variable {wanted!r}; the data hold {', '.join(map(str, data))}")
    method = spec.cell_methods
    same = [
        str(name)
        for name, one in data.data_vars.items()
        if spec.standard_name
        and one.attrs.get("standard_name") == spec.standard_name
        and one.attrs.get("cell_methods", method) == method
    ]
    if len(same) != 1:
        told = f"{len(same)} have its standard name" if same else "none has its name or standard name"
        raise ForcingError(
            f"{who} {spec.name} [{spec.standard_name or 'no standard name'}]: {told} among "
            f"{', '.join(map(str, data.data_vars))}; name the variable"
        )
    return same[0]
