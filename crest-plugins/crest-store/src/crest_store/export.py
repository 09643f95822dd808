"""Export: history as NetCDF or plain Zarr, for programs that know neither Icechunk nor CREST."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import xarray as xr
from zarr.codecs import Crc32cCodec, ZstdCodec

from crest_core import StoreError
from crest_store import arrays
from crest_store.repository import speaking
from crest_store.run import Run


def export(run: Run, target: Path, stream: str | None = None) -> Path:
    """Write a stream of history (the first one by default) to target.nc or target.zarr; the whole of it or nothing.

    Zarr arrays keep compression and crc32c; NetCDF arrays are compressed and carry Fletcher's checksum.
    """
    if target.suffix not in (".nc", ".zarr"):
        raise StoreError(f"export to {target}: expected a name that ends with .nc (NetCDF) or .zarr (Zarr)")
    if target.exists():
        raise StoreError(f"export to {target}: it exists; delete it or give another name")
    if run.folder is not None and target.resolve().is_relative_to(run.folder):
        raise StoreError(f"export to {target}: that is inside the folder of the run; give a place outside of it")
    data = run.history(stream).assign_attrs(crest_run=run.name, crest_branch=run.branch, crest_snapshot=run.snapshot)
    data.attrs["history"] += f"\n{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} exported by crest-store"
    begun = target.with_name(f".{target.name}.part")
    with speaking(f"export of run {run.name} to {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write = _to_netcdf if target.suffix == ".nc" else _to_zarr
            write(data, begun)
            begun.rename(target)
        finally:
            if begun.is_dir():
                shutil.rmtree(begun)
            begun.unlink(missing_ok=True)
    return target


def _to_netcdf(data: xr.Dataset, path: Path) -> None:
    plain = data.drop_encoding()
    _keep_time(plain, data)
    coding = {
        str(name): {"zlib": True, "complevel": 1, "fletcher32": True}
        for name, one in plain.variables.items()
        if one.ndim and one.dtype.kind in "fiu"
    }
    plain.to_netcdf(path, engine="h5netcdf", encoding=coding, unlimited_dims=["time"])


def _to_zarr(data: xr.Dataset, path: Path) -> None:
    plain = data.drop_encoding()
    _keep_time(plain, data)
    coding = {
        str(name): {"compressors": (ZstdCodec(), Crc32cCodec()), "chunks": _chunks(data[name])}
        for name in data.variables
    }
    with arrays.quiet():
        plain.to_zarr(path, encoding=coding, zarr_format=3, consolidated=False, write_empty_chunks=True)


def _keep_time(plain: xr.Dataset, data: xr.Dataset) -> None:
    """Keep units and calendar of the times, which xarray would choose anew."""
    for name in ("time", "time_end", "time_bnds"):
        if name in data.variables:
            own = data[name].encoding
            plain[name].encoding = {key: own[key] for key in ("units", "calendar") if key in own} | {"dtype": "int64"}


def _chunks(array: xr.DataArray) -> tuple[int, ...]:
    own = array.encoding.get("chunks") or array.shape
    return tuple(max(1, size) for size in own)
