"""Which part of a Dataset is drawn: a field with its time axis, its layers and its places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from crest_core import UnitError, conversion
from crest_core.plugins import near
from crest_plot.cells import choose_places, is_spread
from crest_plot.errors import PlotError
from crest_plot.time_axis import TimeAxis, moment, tell, time_axis

WATER_DENSITY = 1000.0  # kg m-3, liquid water: 1 kg m-2 = 1 mm
_WATER = "water of 1000 kg m-3: 1 kg m-2 = 1 mm"


@dataclass(frozen=True)
class Field:
    """A variable, its values unread: dims (time?, layer?, places...)."""

    name: str
    array: xr.DataArray
    axis: TimeAxis | None
    layer: str | None  # the dimension of depths
    layers: tuple[str, ...]  # their names
    units: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The long name of the variable, led by its name where that adds to it."""
        attrs = self.array.attrs
        name, text = (str(words).replace("_", " ") for words in (self.name, attrs.get("long_name") or self.name))
        known = set(str(attrs.get("standard_name", "")).lower().split("_")) | set(text.lower().split())
        return text if set(name.lower().split()) <= known and len(text) > len(name) / 2 else f"{name}: {text}"

    @property
    def label(self) -> str:
        """Name and units, for an axis."""
        return f"{self.name.replace('_', ' ')} [{'-' if self.units in ('1', '') else self.units}]"

    @property
    def places(self) -> tuple[str, ...]:
        """The dims other than time and layers."""
        return tuple(str(dim) for dim in self.array.dims if dim not in ("time", self.layer))

    @property
    def size(self) -> int:
        """Number of places."""
        return int(np.prod([self.array.sizes[dim] for dim in self.places], dtype=int))

    @property
    def counted(self) -> str:
        """How many places there are, in words: "571 cells", "40 grid cells", "3 cell x member"."""
        grid = len(self.places) == 2 and not any(is_spread(self.array, dim) for dim in self.places)
        words = "grid cells" if grid else f"{self.places[0]}s" if len(self.places) == 1 else " x ".join(self.places)
        return f"{self.size} {words}"

    def part(self, selection: dict[str, Any]) -> Field:
        """Return the field at some positions of its dims, which all stay, or go where one number is given."""
        axis = self.axis
        if axis is not None and "time" in selection:
            axis = axis[selection["time"]] if isinstance(selection["time"], slice) else None
        gone = isinstance(selection.get(self.layer or ""), int)
        layers = (self.layers[selection[str(self.layer)]],) if gone else self.layers
        notes = (*self.notes, layers[0]) if gone else self.notes
        layer = None if gone else self.layer
        return replace(self, array=self.array.isel(selection), axis=axis, layer=layer, layers=layers, notes=notes)

    def read(self, part: slice | None = None) -> np.ndarray:
        """Return values (time, layer, place) as float64, of some times or all; absent dims have length 1."""
        array = self.array if part is None else self.array.isel(time=part)
        order = [dim for dim in ("time", self.layer, *self.places) if dim in array.dims]
        values = np.asarray(array.transpose(*order).values, dtype=np.float64)
        times = values.shape[0] if "time" in array.dims else 1
        layers = array.sizes[self.layer] if self.layer else 1
        return values.reshape(times, layers, -1)


def field_of(dataset: xr.Dataset, name: str) -> Field:
    """Return a field of a Dataset; PlotError names those that there are."""
    if name not in dataset.data_vars:
        known = ", ".join(plottable(dataset)) or "none"
        raise PlotError(f"no field {name!r}{near(name, plottable(dataset))}; fields: {known}")
    array = dataset[name]
    if array.dtype.kind not in "fiub":
        raise PlotError(f"{name} holds {array.dtype} and no numbers; fields: {', '.join(plottable(dataset))}")
    if not array.size:
        empty = next(dim for dim, size in array.sizes.items() if not size)
        raise PlotError(f"{name} is empty: its dimension {empty} has length 0")
    axis = time_axis(dataset, name) if "time" in array.dims else None
    layer = next((str(dim) for dim in array.dims if dim != "time" and _is_layer(dataset, str(dim))), None)
    layers = _layer_names(dataset, layer) if layer else ()
    return Field(name, array, axis, layer, layers, str(array.attrs.get("units", "")))


def plottable(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that hold numbers; their quality flags are left out."""
    names = [str(name) for name, array in dataset.data_vars.items() if array.dtype.kind in "fiub"]
    return [name for name in names if not name.endswith("_quality")]


def select(
    field: Field,
    *,
    cell: str | Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
    layer: int | None = None,
    units: str | None = None,
) -> Field:
    """Return the field in [start, end), at some cells, in one layer, in other units."""
    field = _in_period(field, start, end)
    if layer is not None:
        if field.layer is None:
            raise PlotError(f"--layer: {field.name} has no layers; its dims are {_shape(field.array)}")
        if not 0 <= layer < len(field.layers):
            known = ", ".join(f"{number} ({text})" for number, text in enumerate(field.layers))
            raise PlotError(f"--layer {layer}: {field.name} has the layers {known}")
        field = field.part({field.layer: int(layer)})
    cells = (cell,) if isinstance(cell, str) else tuple(cell)
    if cells:
        array, note = choose_places(field.array, field.name, field.places, cells)
        field = replace(field, array=array, notes=(*field.notes, *note))
    return in_units(field, units) if units else field


def at_time(field: Field, time: str) -> Field:
    """Return the field in the interval that holds a time."""
    if field.axis is None:
        raise PlotError(f"--time: {field.name} has no dimension time; its dims are {_shape(field.array)}")
    axis, wanted = field.axis, moment(time, field.axis, "--time")
    at = np.flatnonzero((axis.starts <= wanted) & (wanted < axis.ends))
    if not len(at):
        raise PlotError(f"--time {time} is in no interval of {field.name}, which has {axis.period()}")
    number = int(at[-1])
    told = f"{tell(axis.starts[number])} to {tell(axis.ends[number])}"
    if "time: point" in str(field.array.attrs.get("cell_methods", "")):
        told = f"at {tell(axis.when[number])}"
    picked = field.part({"time": number})
    return replace(picked, notes=(*picked.notes, told))


def in_units(field: Field, units: str) -> Field:
    """Return the field in other units; between depth and mass of water with its density, which the notes say."""
    if not field.units:
        raise PlotError(f"{field.name} has no units, so it cannot be shown in {units!r}; add the attribute units")
    notes: tuple[str, ...] = ()
    try:
        convert = conversion(field.units, units)
    except UnitError:
        try:
            convert, notes = conversion(field.units, units, WATER_DENSITY), (_WATER,)
        except UnitError as error:
            raise PlotError(f"{field.name} cannot be shown in {units!r}: {error}") from error
    array = (
        field.array if convert.is_identity else convert(field.array.astype("float64")).assign_attrs(field.array.attrs)
    )
    new = () if set(notes) & set(field.notes) else notes
    return replace(field, array=array, units=units, notes=(*field.notes, *new))


def _in_period(field: Field, start: str | None, end: str | None) -> Field:
    """Return the part of a field whose intervals start in [start, end)."""
    if start is None and end is None:
        return field
    if field.axis is None:
        raise PlotError(f"--from and --to: {field.name} has no dimension time; its dims are {_shape(field.array)}")
    axis = field.axis
    kept = np.ones(len(axis), dtype=bool)
    if start is not None:
        kept &= axis.starts >= moment(start, axis, "--from")
    if end is not None:
        kept &= axis.starts < moment(end, axis, "--to")
    if not kept.any():
        asked = f"from {start or 'its start'} to {end or 'its end'}"
        raise PlotError(f"{field.name} has nothing {asked}: it has {axis.period()}; the end is excluded")
    first, last = np.flatnonzero(kept)[[0, -1]]
    return field.part({"time": slice(int(first), int(last) + 1)})


def _is_layer(dataset: xr.Dataset, dim: str) -> bool:
    attrs = dataset[dim].attrs if dim in dataset.coords else {}
    named = any(word in dim.lower() for word in ("layer", "depth", "level", "band"))
    return attrs.get("axis") == "Z" or attrs.get("standard_name") in ("depth", "height", "air_pressure") or named


def _layer_names(dataset: xr.Dataset, dim: str) -> tuple[str, ...]:
    """Return "0-17.5 cm" where there are bounds, else the middle, else the number of each layer."""
    size = dataset.sizes[dim]
    if dim not in dataset.coords or dataset[dim].dtype.kind not in "fiu":
        values = dataset[dim].values if dim in dataset.coords else range(size)
        return tuple(f"{dim.replace('_', ' ')} {value}" for value in values)
    coordinate = dataset[dim]
    units, bounds = str(coordinate.attrs.get("units", "")), dataset.get(str(coordinate.attrs.get("bounds", "")))
    factor, units = (100.0, "cm") if units == "m" and abs(float(coordinate.max())) < 5.0 else (1.0, units)
    if bounds is not None and bounds.shape == (size, 2):
        return tuple(f"{factor * low:.4g}-{factor * high:.4g} {units}".strip() for low, high in bounds.values)
    return tuple(f"{dim.replace('_', ' ')} {factor * value:.4g} {units}".strip() for value in coordinate.values)


def _shape(array: xr.DataArray) -> str:
    return ", ".join(f"{dim} {size}" for dim, size in array.sizes.items()) or "none"
