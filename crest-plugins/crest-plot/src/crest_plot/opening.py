"""Open what can be plotted: a NetCDF file, a Zarr folder, or the store of a run."""

from __future__ import annotations

import re
from pathlib import Path

import xarray as xr

from crest_core import CrestError, registry
from crest_plot.errors import PlotError

_ZARR = ("zarr.json", ".zgroup", ".zmetadata")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(.*)")  # a Path keeps one slash; C:/ is a drive
_DAMAGED = (OSError, ValueError, KeyError, RuntimeError)  # what readers raise on files that are not what they seem


def open_run(path: str | Path, *, stream: str | None = None, branch: str | None = None) -> xr.Dataset:
    """Return the Dataset of a NetCDF file, a Zarr folder or the store of a run; values are read when needed.

    The store of a run (a folder that crest-store has written, or its s3:// or gs:// URL) is opened by the registered
    archive `icechunk`; by default the first stream of history on the branch `main`.
    """
    if url := _URL.match(str(path)):
        return _open_store(f"{url[1]}://{url[2]}", stream, branch)
    path = Path(path)
    if not path.exists():
        raise PlotError(f"{path}: no such file or folder; give a NetCDF file, a Zarr folder or the store of a run")
    if path.is_dir() and not any((path / name).is_file() for name in _ZARR):
        return _open_store(path, stream, branch)
    for option, given, parts in (("--stream", stream, "streams of history"), ("--branch", branch, "branches")):
        if given is not None:
            raise PlotError(f"{option} {given}: {path} is no store of a run, and has no {parts}")
    try:
        if path.is_dir():
            return xr.open_dataset(path, engine="zarr", chunks=None, decode_timedelta=False, consolidated=False)
        with path.open("rb") as file:
            classic = file.read(3) == b"CDF"
        return xr.open_dataset(path, engine="scipy" if classic else "h5netcdf", decode_timedelta=False)
    except _DAMAGED as error:
        kind = "Zarr folder" if path.is_dir() else "NetCDF file"
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
        raise PlotError(f"{path} cannot be read as a {kind} ({why}); is it complete, and of this kind?") from error


def _open_store(path: str | Path, stream: str | None, branch: str | None) -> xr.Dataset:
    """Return what is committed in the store of a run."""
    if "icechunk" not in {entry.name for entry in registry().of_kind("archives")}:
        advice = "if it is the store of a run, pip install crest-store"
        if isinstance(path, str):
            raise PlotError(f"{path} is a URL; {advice}, or give a file or folder of this machine")
        raise PlotError(f"{path} is a folder and no Zarr group (no {' or '.join(_ZARR[:2])} in it); {advice}")
    archive = registry().load("archives", "icechunk")
    try:
        return archive(path, branch=branch or "main").open(stream)
    except CrestError as error:
        if isinstance(path, str):
            raise PlotError(f"{path} cannot be opened as the store of a run: {error}") from error
        raise PlotError(f"{path} is no Zarr group, and cannot be opened as the store of a run: {error}") from error
