"""Places: latitude, longitude and the dims `cell` or `y, x`, in one order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from crest_data.errors import DataError

_NAMES = {
    "lat": ("lat", "latitude", "gauge_lat", "location_lat", "nav_lat", "y"),
    "lon": ("lon", "longitude", "gauge_lon", "location_long", "nav_lon", "long", "x"),
}
_STANDARD = {"lat": "latitude", "lon": "longitude"}
_UNITS = {"lat": "degrees_north", "lon": "degrees_east"}
_CELL_DIMS = ("cell", "basin", "gauge_id", "gauge", "site", "station", "location", "pixel", "point", "id")
_LIMIT = {"lat": (-90.0, 90.0), "lon": (-180.0, 360.0)}  # degrees


def place(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with lat, lon and the dims cell or y, x in the convention's order, and what was changed."""
    dataset, changes = _renamed(dataset)
    for step in (_plain_coordinates, _with_dims, _checked, _wrapped, _ordered, _identified):
        dataset, more = step(dataset)
        changes += more
    for name in ("lat", "lon"):
        dataset[name].attrs = {"standard_name": _STANDARD[name], "units": _UNITS[name]}
        dataset[name].encoding = {"_FillValue": None} if not dataset[name].isnull().any() else {}
    return dataset, changes


def wrapped_longitude(longitude: np.ndarray) -> np.ndarray:
    """Return longitudes in [-180, 180) from [-180, 360]; those within stay as they are, bit for bit.

    >>> wrapped_longitude(np.array([0.0, 180.0, 359.5, -12.5])).tolist()
    [0.0, -180.0, -0.5, -12.5]
    """
    return np.where(longitude >= 180.0, longitude - 360.0, longitude)


def _renamed(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with coordinates called lat and lon, found by standard name, units or name."""
    changes = []
    for ours in ("lat", "lon"):
        found = [str(name) for name, variable in dataset.variables.items() if _is_coordinate(ours, str(name), variable)]
        exact = [name for name in found if name in (ours, _STANDARD[ours])]
        if ours in exact and all(dataset.variables[name].equals(dataset.variables[ours]) for name in exact):
            exact = [ours]  # an attribute of the places that tells the same
        if len(found) > 1 and len(exact) != 1:
            raise DataError(f"{ours}: {found} may each be the {_STANDARD[ours]}; rename the right one to {ours!r}")
        source = (exact or found or [ours])[0]
        named = dataset[source].attrs.get("standard_name", "") if source in dataset.variables else ""
        if named not in ("", _STANDARD[ours]):
            raise DataError(
                f"{source}: its standard_name is {named!r}, expected {_STANDARD[ours]!r}; a grid with a "
                f"pole of its own needs true latitudes and longitudes"
            )
        if source == ours:
            continue
        dataset = dataset.rename({source: ours})
        changes.append(f"renamed coordinate {source} -> {ours}")
    known = [name for name in ("lat", "lon") if name in dataset.variables]
    return dataset.set_coords(known), changes


def _is_coordinate(ours: str, name: str, variable: xr.Variable) -> bool:
    standard, units = variable.attrs.get("standard_name"), str(variable.attrs.get("units", ""))
    if standard is not None:
        return bool(standard == _STANDARD[ours])
    if name.lower() in ("x", "y"):  # degrees, or metres of a projection
        return units in (_UNITS[ours], _UNITS[ours].rstrip("s"), _UNITS[ours].replace("degrees", "degree"))
    return name.lower() in _NAMES[ours]


def _plain_coordinates(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return lat and lon as float64: float32 as the shortest decimals that it stands for."""
    changes = []
    for name in ("lat", "lon"):
        if name not in dataset.coords:
            continue
        values = dataset[name]
        if values.dtype.kind not in "fiu":
            raise DataError(f"{name}: expected numbers in {_UNITS[name]}, got {values.dtype}")
        units = str(values.attrs.get("units", "degrees")).lower().replace(" ", "_").replace("degree_", "degrees_")
        if units not in (_UNITS[name], "degrees", "degree", "deg"):
            raise DataError(f"{name}: units {units!r}, expected {_UNITS[name]!r}; give the coordinates in degrees")
        if values.dtype == np.float64:
            continue
        if values.dtype.kind == "f":
            changes.append(f"{name}: {values.dtype} -> float64, the shortest decimals")
        dataset = dataset.assign_coords({name: (values.dims, _decimals(values.values), values.attrs)})
    return dataset, changes


def _decimals(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values.astype(np.float64)
    return np.array([float(str(value)) for value in values.ravel()], dtype=np.float64).reshape(values.shape)


def _with_dims(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset on cell or on y, x."""
    changes: list[str] = []
    dims = {str(dim) for dim in dataset.dims}
    if "lat" in dims and "lon" in dims:
        moved = {"lat": "y", "lon": "x"}
        held = [name for name in ("x", "y") if name in dataset.variables]
        dataset = dataset.drop_vars(held).rename_dims(moved).drop_indexes(["lat", "lon"], errors="ignore")
        return dataset, ["dims lat, lon -> y, x"]
    if {"y", "x"} <= dims:
        return dataset, changes
    found = [name for name in _CELL_DIMS if name in dims]
    if len(found) > 1:
        raise DataError(f"the dims {found} may each be the places; rename the right one to 'cell'")
    if not found:
        if "lat" in dims or "lon" in dims or "y" in dims or "x" in dims:
            raise DataError(
                f"expected the dims lat and lon, y and x, or cell, got {sorted(dims)}; rename or expand dims"
            )
        return _one_cell(dataset), ["one place: added the dim cell"]
    if found[0] != "cell":
        if found[0] in dataset.coords and "cell_id" not in dataset.variables:
            dataset = dataset.drop_indexes(found[0], errors="ignore").rename_vars({found[0]: "cell_id"})
        dataset = dataset.rename_dims({found[0]: "cell"})
        changes.append(f"renamed dim {found[0]} -> cell")
    elif "cell" in dataset.coords:
        dataset = dataset.drop_indexes("cell", errors="ignore").rename_vars({"cell": "cell_id"})
        changes.append("renamed coordinate cell -> cell_id")
    return dataset, changes


def _one_cell(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with the last dim cell, of size 1, on all that is no time."""
    names = [*dataset.data_vars, *(name for name in ("lat", "lon", "cell_id", "altitude") if name in dataset.coords)]
    bounds = {variable.attrs.get("bounds") for variable in dataset.variables.values()}
    return dataset.assign({name: _last(dataset[name].variable) for name in names if name not in bounds})


def _last(variable: xr.Variable) -> xr.Variable:
    return variable.set_dims((*variable.dims, "cell"), (*variable.shape, 1))


def _checked(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset if its coordinates are degrees; cells without any get nan."""
    lacking = [name for name in ("lat", "lon") if name not in dataset.coords]
    changes = []
    if lacking and "cell" not in dataset.dims:
        raise DataError(f"the grid has no {' and no '.join(lacking)}; add them in degrees, on y and x or on both")
    for name in lacking:
        dataset = dataset.assign_coords({name: ("cell", np.full(dataset.sizes["cell"], np.nan))})
        changes.append(f"{name}: the source tells none, nan")
    for name in ("lat", "lon"):
        values, (low, high) = dataset[name].values, _LIMIT[name]
        bad = values[~np.isnan(values) & ~((values >= low) & (values <= high))]
        if bad.size:
            hint = "; are lat and lon swapped?" if name == "lat" and abs(bad[0]) <= 360.0 else ""
            raise DataError(f"{name}: {bad[0]:g} is not within [{low:g}, {high:g}] degrees{hint}")
        if np.isnan(values).any() and "cell" not in dataset.dims:
            raise DataError(f"{name}: {int(np.isnan(values).sum())} values of the grid are nan; give all of them")
    return dataset, changes


def _wrapped(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    longitude = dataset["lon"]
    wrapped = wrapped_longitude(longitude.values)
    moved = int((wrapped != longitude.values).sum() - np.isnan(wrapped).sum())
    if not moved:
        return dataset, []
    return dataset.assign_coords(lon=(longitude.dims, wrapped)), [f"lon: {moved} values moved to [-180, 180)"]


def _ordered(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return a grid with lat from south to north and lon from west to east."""
    changes = []
    for name, dim in (("lat", "y"), ("lon", "x")):
        if dim not in dataset.dims or dim not in dataset[name].dims:
            continue
        line = dataset[name] if dataset[name].ndim == 1 else dataset[name].isel({"x" if dim == "y" else "y": 0})
        values = line.values
        rising = np.sort(values)
        if (twice := rising[1:][np.diff(rising) == 0]).size:
            raise DataError(f"{name}: {twice[0]:g} appears twice; keep one (0 and 360, -180 and 180 are one longitude)")
        order = np.argsort(values)
        if (np.diff(values) > 0).all():
            continue
        jumps = int((np.diff(order) != 1).sum())
        if not (np.diff(values) < 0).all() and (name == "lat" or jumps != 1):
            raise DataError(f"{name}: neither ascending nor descending; sort the grid by {name}")
        dataset = dataset.isel({dim: order})
        changes.append(f"{name}: sorted from {'south to north' if name == 'lat' else 'west to east'}")
    return dataset, changes


def _identified(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return cells with unique text ids."""
    if "cell" not in dataset.dims:
        return dataset, []
    if "cell_id" not in dataset.variables:
        numbers = [str(number) for number in range(dataset.sizes["cell"])]
        return dataset.assign_coords(cell_id=("cell", np.array(numbers, dtype=str))), ["cell_id: numbered from 0"]
    names = [_text(value) for value in dataset["cell_id"].values.ravel()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"cell_id: {twice!r} appears twice; keep one")
    attributes = {"cf_role": "timeseries_id", "long_name": "identifier of the place"}
    return dataset.assign_coords(cell_id=("cell", np.array(names, dtype=str), attributes)), []


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def place_dims(dims: Iterable[str]) -> tuple[str, ...]:
    """Return those of the dims that are places, in the convention's order."""
    held = set(dims)
    return tuple(dim for dim in ("cell", "y", "x") if dim in held)
