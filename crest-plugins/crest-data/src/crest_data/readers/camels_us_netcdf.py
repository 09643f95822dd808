"""CAMELS-US in one netCDF file: Maurer-extended forcing, streamflow and snow on (basin, time), read when needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.readers import camels_us_variables as camels
from crest_data.readers.camels_us_attributes import with_attributes
from crest_data.readers.choice import chosen, near
from crest_data.readers.local_file import as_path
from crest_data.readers.netcdf_file import opened
from crest_data.readers.site_series import with_history

_FORCING = ("prcp", "srad", "tmax", "tmin", "vp", "dayl")
_VARIABLES = {**{name: camels.FORCING[name] for name in _FORCING}, "qobs": camels.STREAMFLOW, "swe_uaz": camels.SNOW}


def read_camels_us_netcdf(
    path: str | Path,
    *,
    ids: Sequence[str] | None = None,
    listed: str | Path | None = None,
    srad: str = "daylight",
    attributes: str | Path | None = None,
) -> xr.Dataset:
    """Return forcing, streamflow and snow of basins (time, cell), and their attributes, lazily.

    `ids` chooses basins, or `listed`, a text file of ids, of which those are taken that the file holds, as of the 531
    of Kratzert et al. (2019). The source's radiation is a mean over daylight; srad="24h" gives the mean over the day.
    `attributes` is a CSV table by gauge_id, or the folder of the archive's camels_*.txt; without it the basins have no
    coordinates.
    """
    file = as_path(path)
    raw = opened(file, needs=[*_VARIABLES, "basin", "time"])
    held = [str(one) for one in raw["basin"].values]
    basins = chosen(ids if listed is None else _listed(listed, held, ids, file), held, kind="basin", path=file)
    raw = raw.isel(basin=[held.index(one) for one in basins])
    raw = raw.drop_indexes("basin").rename_vars(basin="cell_id").rename_dims(basin="cell")
    raw, radiation, changes = camels.with_shortwave(raw, "srad", "dayl", srad)
    variables = {**_VARIABLES, "srad": radiation}
    if attributes is not None:
        raw, static, more = with_attributes(raw, Path(attributes))
        variables, changes = {**variables, **static}, [*changes, *more]
    told = str(raw.attrs.get("source", ""))
    dataset = conform(
        raw, variables, step="1D", time_zone=camels.TIME_ZONE, licence=camels.LICENCE, citation=camels.CITATION,
        source=f"{file.name}: {told}" if told else file.name,
    )  # fmt: skip
    if listed is not None:
        changes = [*changes, f"{len(basins)} of the basins listed in {Path(listed).name} are held"]
    return with_history(dataset, changes)


def _listed(listed: str | Path, held: Sequence[str], ids: Sequence[str] | None, file: Path) -> list[str]:
    if ids is not None:
        raise DataError("ids and listed both choose basins; give one of them")
    try:
        names = as_path(listed).read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"listed: {listed}: no readable text file of ids ({error})") from error
    if wrong := [one for one in names if not (len(one) == 8 and one.isdigit())]:
        hint = near(wrong[0].zfill(8), held)
        raise DataError(f"{listed}: {wrong[0]!r} is no id of a basin: expected 8 digits, one id a line{hint}")
    if not (found := [one for one in names if one in held]):
        raise DataError(f"{listed}: {file} holds none of these {len(names)} basins; expected one id of 8 digits a line")
    return found
