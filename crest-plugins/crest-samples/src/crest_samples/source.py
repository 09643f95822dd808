"""Source: a dataset, which of its variables are taken, and how places are found in it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import xarray as xr

from crest_samples.errors import SampleError
from crest_samples.identity import digest
from crest_samples.places import Places, place_dims

MATCHES = ("id", "nearest", "containing", "area mean")
_NOT_DATA = ("_quality", "_bnds", "_bounds")


@dataclass(frozen=True, eq=False)
class Source:
    """Variables of a dataset in the convention, on its own grid; nothing is regridded.

    A place takes its values from the cell with its name (`id`; at most 1 km away, or `radius`), from the `nearest` cell
    within `radius` [m, great circle], from the cell `containing` it, or from the mean over its area (`area mean`: its
    outline, or all cells within `radius`; at least the share `cover` of the area must hold values). With a `patch` (y,
    x) of cells around that cell it takes an image. An `optional` source may lack places and values: it is handed out
    with nan, or, with `flag`, with 0 and a further input NAME_valid that is 1 where there is a value.

    >>> rain = xr.Dataset({"rain": (("time", "cell"), [[1.0]])}, {"lat": ("cell", [50.0]), "lon": ("cell", [8.0])})
    >>> Source(rain, match="nearest", radius=10e3).variables
    ('rain',)
    """

    data: xr.Dataset
    variables: tuple[str, ...] = ()  # () stands for all, without quality flags and bounds
    match: str = "id"
    radius: float | None = None  # m
    cover: float = 0.5
    patch: tuple[int, int] | None = None
    optional: bool = False
    flag: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        held = [str(name) for name in self.data.data_vars if not str(name).endswith(_NOT_DATA)]
        object.__setattr__(self, "variables", tuple(self.variables) or tuple(held))
        object.__setattr__(
            self, "name", self.name or str(self.data.attrs.get("source", "")) or ", ".join(self.variables[:3])
        )
        if absent := [name for name in self.variables if name not in self.data.data_vars]:
            raise SampleError(f"{self}: no variables {absent}; it holds {', '.join(held) or 'nothing'}")
        if not self.variables:
            raise SampleError(f"{self}: it holds no variables; give a dataset with one or more")
        if empty := [name for name in self.variables if 0 in self.data[name].shape]:
            dims = [str(dim) for dim, size in self.data[empty[0]].sizes.items() if size == 0]
            raise SampleError(
                f"{self}: {empty[0]} is empty, its dims {dims} have length 0; look at what was selected before"
            )
        if self.match not in MATCHES:
            raise SampleError(f"{self}: match {self.match!r}, expected one of {', '.join(MATCHES)}")
        if self.match == "nearest" and not (self.radius or 0.0) > 0.0:
            raise SampleError(f"{self}: 'nearest' needs radius= in metres, beyond which a place has no match")
        if not 0.0 < self.cover <= 1.0:
            raise SampleError(f"{self}: cover {self.cover}, expected a share of the area above 0 and up to 1")
        if self.patch and (self.match == "area mean" or min(self.patch) < 1 or place_dims(self.data) != ("y", "x")):
            raise SampleError(
                f"{self}: a patch {self.patch} needs the dims y and x, one or more cells along each, and a match of "
                f"one cell ('nearest' or 'containing'), got {self.match!r} on {place_dims(self.data)}"
            )
        if self.flag and not self.optional:
            raise SampleError(f"{self}: flag=True tells where values are missing, which needs optional=True")
        if self.flag and self.patch:
            raise SampleError(f"{self}: images have no flags; leave out flag=True, missing values are nan in the patch")

    def __str__(self) -> str:
        return f"source {self.name!r}"

    def identity(self) -> str:
        """Return what tells this source from others, but for its values and times: a digest.

        Two of one identity have the same variables and units, and match the same cells, in one way.
        """
        held = [(name, str(self.data[name].attrs.get("units", ""))) for name in self.variables]
        how = (self.match, self.radius, self.cover, self.patch, self.optional, self.flag, self.name)
        cells = Places.of(self.data)
        return digest(json.dumps([held, how, cells.dims, cells.shape, cells.ids.tolist()]), cells.lat, cells.lon).hex()

    def moves(self, name: str) -> bool:
        """Return whether a variable has a time axis."""
        return "time" in self.data[name].dims
