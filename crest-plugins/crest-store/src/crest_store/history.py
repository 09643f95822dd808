"""History in the repository: `history/<stream>`, one CF group with growing arrays."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import xarray as xr
import zarr

from crest_core import StoreError
from crest_store import arrays
from crest_store.intervals import SINCE
from crest_store.lazy import lazy_variables
from crest_store.reduction import Rows


def append(root: zarr.Group, stream: str, rows: Rows, calendar: str, chunk: int, attributes: Mapping[str, Any]) -> int:
    """Add rows to a stream, which is created by its first rows; return its length."""
    path = f"history/{stream}"
    times = _times(rows)
    if path not in root:
        group = root.create_group(path)
        _create(group, rows, times, calendar, max(1, chunk))
        group.attrs["crest"] = {"fields": list(rows.values), "places_sha256": _digest(rows.places)}
    else:
        group = arrays.group_at(root, path)
        if _own(group)["places_sha256"] != _digest(rows.places):
            raise StoreError(
                f"stream {stream}: the places or layers of this window are not those written so far; "
                f"write a run on other places to another path"
            )
        if missing := sorted(set(_fields(group)) ^ set(rows.values)):
            raise StoreError(f"stream {stream}: fields {missing} are not in both this window and those written so far")
        for name, values in {**times, **rows.values}.items():
            arrays.append(group, name, values)
    about: dict[str, Any] = {str(key): value for key, value in attributes.items() if key not in ("start", "time")}
    begun = group.attrs.get("time_coverage_start", attributes["start"])
    group.update_attributes(about | {"time_coverage_start": begun, "time_coverage_end": attributes["time"]})
    return length(root, stream)


def stream_names(root: zarr.Group) -> list[str]:
    """Return the names of the streams, the first one first."""
    stored: Any = root.attrs.get("streams", {})
    return [one["name"] for one in stored]


def first_stream(root: zarr.Group) -> str:
    """Return the stream that is meant where none is named."""
    names = stream_names(root)
    if not names:
        raise StoreError("the run has no committed cycle yet")
    return names[0]


def length(root: zarr.Group, stream: str) -> int:
    """Return the number of times of a stream."""
    return int(arrays.opened(root, f"history/{stream}/time").shape[0])


def cut(root: zarr.Group, stream: str, rows: int) -> None:
    """Keep the first rows of a stream."""
    group = arrays.group_at(root, f"history/{stream}")
    for name in (*_fields(group), "time", "time_bnds", "time_end"):
        if name in group:
            arrays.cut(group, name, rows)


def open_stream(root: zarr.Group, stream: str) -> xr.Dataset:
    """Return a stream as a Dataset that is read when needed."""
    path = f"history/{stream}"
    if path not in root:
        known = sorted(arrays.group_at(root, "history").group_keys()) if "history" in root else []
        raise StoreError(f"stream {stream!r} does not exist; the run has {', '.join(known) or 'none'}")
    group = arrays.group_at(root, path)
    dataset = xr.decode_cf(xr.Dataset(lazy_variables(group), attrs=group.attrs.asdict()))
    own = dataset.attrs.pop("crest")
    in_order = {name: dataset[name].variable for name in own["fields"]}
    return xr.Dataset(in_order, dataset.coords, dataset.attrs)


def _create(group: zarr.Group, rows: Rows, times: dict[str, np.ndarray], calendar: str, chunk: int) -> None:
    auxiliary = [name for name in rows.places if name not in {dim for dims in rows.dims.values() for dim in dims}]
    for name, variable in rows.places.items():
        attributes = {str(key): _plain(value) for key, value in variable.attrs.items()}
        arrays.write(group, name, variable.values, dims=tuple(map(str, variable.dims)), attributes=attributes)
    for name, values in times.items():
        dims = ("time", "bnds")[: values.ndim]
        arrays.write(group, name, values, dims=dims, attributes=_time_attributes(name, calendar), rows=_long(chunk))
    for name, values in rows.values.items():
        attributes = {key: _plain(value) for key, value in rows.attributes[name].items()}
        arrays.write(group, name, values, dims=rows.dims[name], attributes=attributes, rows=chunk)
    names = [*auxiliary, *(name for name in times if name != "time")]
    group.update_attributes({"coordinates": " ".join(names)})


def _long(chunk: int) -> int:
    """Return the times in a chunk of the time arrays: a multiple, since they are small and read as a whole."""
    return chunk * max(1, 1024 // chunk)


def _times(rows: Rows) -> dict[str, np.ndarray]:
    times = {"time": rows.bounds[:, 0], "time_bnds": rows.bounds}
    return times | ({"time_end": rows.bounds[:, 1]} if rows.ends else {})


def _time_attributes(name: str, calendar: str) -> dict[str, str]:
    """Return CF attributes of a time coordinate; those of the core's outputs."""
    units = {"units": SINCE, "calendar": calendar}
    if name == "time_bnds":
        return units
    leap = {"units_metadata": "leap_seconds: none"} if calendar == "standard" else {}
    if name == "time_end":
        return {"standard_name": "time", **leap, "long_name": "end of interval", **units}
    own = {"long_name": "start of interval", "bounds": "time_bnds", "axis": "T"}
    return {"standard_name": "time", **leap, **own, **units}


def _fields(group: zarr.Group) -> list[str]:
    return list(_own(group)["fields"])


def _own(group: zarr.Group) -> dict[str, Any]:
    own: Any = group.attrs["crest"]
    return own


def _digest(places: Mapping[str, xr.Variable]) -> str:
    digest = sha256()
    for name, variable in sorted(places.items()):
        values = np.asarray(variable.values)
        text = values.astype(np.str_) if values.dtype.kind in "OU" else values
        digest.update(f"{name} {variable.dims} {text.dtype} {text.shape}".encode() + text.tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return an attribute as a JSON value."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
