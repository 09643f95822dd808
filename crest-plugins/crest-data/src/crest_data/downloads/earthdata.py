"""SMAP and other NASA data from Earthdata, through the client earthaccess."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crest_data.downloads.client import client
from crest_data.errors import DataError


@dataclass(frozen=True)
class EarthdataRequest:
    """What is asked of NASA's Common Metadata Repository."""

    short_name: str
    version: str
    bounding_box: tuple[float, float, float, float]
    """West, south, east, north in degrees."""
    temporal: tuple[str, str]
    """First and last day."""

    def keywords(self) -> dict[str, object]:
        """Return the arguments of `earthaccess.search_data`."""
        return {
            "short_name": self.short_name,
            "version": self.version,
            "bounding_box": self.bounding_box,
            "temporal": self.temporal,
        }


def earthdata_request(
    short_name: str, version: str, *, area: tuple[float, float, float, float], start: str, end: str
) -> EarthdataRequest:
    """Return the request for granules, such as those of ("SPL3SMP_E", "006"); `end` is the last day, itself included.

    `area` is north, west, south, east in degrees, as everywhere here; Earthdata wants another order.
    """
    north, west, south, east = map(float, area)
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        raise DataError(
            f"area {area}: expected north, west, south, east in degrees, north above south, west before east"
        )
    try:
        first, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError as error:
        raise DataError(f"start {start!r}, end {end!r}: expected days, as '2020-01-31' ({error})") from error
    if last < first:
        raise DataError(f"end {end} is before start {start}")
    return EarthdataRequest(short_name, version, (west, south, east, north), (start, end))


def download_earthdata(request: EarthdataRequest, folder: str | Path, *, most: int = 1000) -> list[Path]:
    """Fetch the granules of a request into a folder; DataError if there are none, or more than `most`."""
    account = "https://urs.earthdata.nasa.gov, in ~/.netrc"
    earthaccess = client("earthaccess", "pip install earthaccess, the extra earthdata of crest-data", account)
    earthaccess.login()
    granules = earthaccess.search_data(**request.keywords(), count=most + 1)
    if not granules or len(granules) > most:
        found = "none" if not granules else f"more than {most}"
        raise DataError(
            f"{request.short_name} {request.version}: {found} found; change area, start or end, or raise most"
        )
    return [Path(file) for file in earthaccess.download(granules, str(folder))]
