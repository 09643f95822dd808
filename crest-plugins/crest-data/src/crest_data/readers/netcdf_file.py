"""netCDF files of sites: opened lazily, or refused with the file's name and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from crest_data.errors import DataError
from crest_data.readers.choice import near


def opened(path: Path, *, needs: Sequence[str]) -> xr.Dataset:
    """Return a netCDF file, coordinates at once, arrays when needed; DataError if it is damaged or lacks a variable."""
    try:
        dataset = xr.open_dataset(path, chunks={}, engine="h5netcdf")
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no readable netCDF-4 file ({error}); is it cut off or another format?") from error
    held = [str(name) for name in dataset.variables]
    if absent := [name for name in needs if name not in held]:
        raise DataError(
            f"{path}: no variable {', '.join(map(repr, absent))}; it holds {', '.join(held)}{near(absent[0], held)}"
        )
    dataset = dataset.set_coords([name for name in ("lat", "lon") if name in held])
    return dataset.assign_coords({name: coordinate.compute() for name, coordinate in dataset.coords.items()})
