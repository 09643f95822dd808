"""Places: where samples are taken, as points or with an area each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely  # type: ignore[import-untyped]
import xarray as xr
from numpy.typing import NDArray

from crest_samples.errors import SampleError
from crest_samples.footprints import Footprint, first_together

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Places:
    """Points on the globe with names; `of` takes those of a dataset, in its order.

    >>> ponds = xr.Dataset(coords={"cell_id": ("cell", ["a", "b"]), "lat": ("cell", [50.0, 51.0]),
    ...                            "lon": ("cell", [8.0, 9.0])})
    >>> Places.of(ponds).take([1]).ids.tolist()
    ['b']
    """

    lat: Floats  # degrees_north
    lon: Floats  # degrees_east, [-180, 180)
    ids: NDArray[np.str_]  # cell_id, or the number in a grid, row by row
    dims: tuple[str, ...] = ("cell",)  # of the dataset they come from
    shape: tuple[int, ...] = ()
    position: Integers | None = None  # in that dataset, flattened
    areas: tuple[shapely.Geometry, ...] | None = None  # outlines in degrees (lon, lat)
    origin: Mapping[str, xr.Variable] | None = None  # lat, lon and cell_id of all of that dataset
    footprints: tuple[Footprint, ...] = ()  # of the targets of samples at these places

    def __post_init__(self) -> None:
        if len({len(self.lat), len(self.lon), len(self.ids)}) > 1:
            raise SampleError(
                f"places: {len(self.lat)} latitudes, {len(self.lon)} longitudes and {len(self.ids)} names; each "
                f"place needs all three"
            )
        if self.areas is not None and len(self.areas) != len(self):
            raise SampleError(f"places: {len(self.areas)} areas for {len(self)} places; give one for each, in order")
        names, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise SampleError(f"places: the name {str(names[counts > 1][0])!r} is given twice; names tell places apart")

    @classmethod
    def of(cls, dataset: xr.Dataset, areas: Sequence[shapely.Geometry] | None = None) -> Places:
        """Return all places of a dataset with the dim cell, or y and x."""
        dims = place_dims(dataset)
        lat, lon = (
            dataset[name].broadcast_like(xr.Dataset(coords={dim: np.arange(dataset.sizes[dim]) for dim in dims}))
            for name in ("lat", "lon")
        )
        shape = tuple(dataset.sizes[dim] for dim in dims)
        count = int(np.prod(shape))
        named = dims == ("cell",) and "cell_id" in dataset.variables
        ids = dataset["cell_id"].values.astype(str) if named else np.arange(count).astype(str)
        north, east = (values.transpose(*dims).values.ravel().astype(np.float64) for values in (lat, lon))
        outlines = None if areas is None else tuple(areas)
        origin = {name: dataset[name].variable for name in ("lat", "lon", "cell_id") if name in dataset.variables}
        return cls(north, east, ids, dims, shape, np.arange(count), outlines, origin)

    def __len__(self) -> int:
        return len(self.lat)

    def take(self, index: Sequence[int] | Integers | NDArray[np.bool_]) -> Places:
        """Return some of the places: by number or by a mask."""
        chosen = np.arange(len(self))[np.asarray(index) if len(index) else slice(0)]
        return replace(
            self,
            lat=self.lat[chosen],
            lon=self.lon[chosen],
            ids=self.ids[chosen],
            position=None if self.position is None else self.position[chosen],
            areas=None if self.areas is None else tuple(self.areas[int(i)] for i in chosen),
            footprints=tuple(one.take(chosen) for one in self.footprints),
        )

    def sharing(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which places take some target from a cell that one of the `chosen` places takes it from, too."""
        return np.any([np.zeros(len(self), dtype=bool), *(one.meets(chosen) for one in self.footprints)], axis=0)

    def first_together(self) -> Integers:
        """Return the number of the first place of each place's own target cells; its own where it shares none."""
        return first_together(self.footprints, len(self))

    def check_located(self, who: str) -> None:
        """Return if each place has coordinates; SampleError names the first that has none."""
        for name, values in (("lat", self.lat), ("lon", self.lon)):
            lost = np.flatnonzero(~np.isfinite(values))
            if len(lost):
                first = int(lost[0])
                raise SampleError(
                    f"{who}: {len(lost)} of {len(self)} places have no {name}, the first {str(self.ids[first])!r} with "
                    f"{values[first]}; give coordinates, leave such places out (Places.take), or match by 'id'"
                )

    def located(self, who: str) -> Integers:
        """Return the numbers of the places that have coordinates; SampleError where none has."""
        known = np.flatnonzero(np.isfinite(self.lat) & np.isfinite(self.lon))
        if not len(known):
            raise SampleError(f"{who}: none of its {len(self)} cells has both lat and lon; give them coordinates")
        return known

    def numbers(self, others: Places) -> Integers:
        """Return where the others stand among these places, by name; SampleError if one is not here."""
        if not len(self):
            raise SampleError("places: there is none to look others up in; make them of a dataset with one or more")
        order = np.argsort(self.ids)
        at = np.searchsorted(self.ids, others.ids, sorter=order)
        found = order[np.minimum(at, len(self) - 1)]
        strange = self.ids[found] != others.ids
        strange |= ~(np.isclose(self.lat[found], others.lat, equal_nan=True))
        strange |= ~(np.isclose(self.lon[found], others.lon, equal_nan=True))
        if strange.any():
            first = int(np.flatnonzero(strange)[0])
            raise SampleError(
                f"places: {strange.sum()} of {len(others)} are not among those of the split, the first "
                f"{str(others.ids[first])!r} at {others.lat[first]:g}, {others.lon[first]:g}; make the split from all "
                f"places of the samples"
            )
        return found.astype(np.int64)


def place_dims(dataset: xr.Dataset) -> tuple[str, ...]:
    """Return ("cell",) or ("y", "x"); SampleError where a dataset has neither, or no lat and lon."""
    dims = ("cell",) if "cell" in dataset.dims else ("y", "x")
    lacking = [name for name in (*dims, "lat", "lon") if name not in dataset.dims and name not in dataset.coords]
    if lacking:
        raise SampleError(
            f"a dataset with the dims {sorted(map(str, dataset.dims))} lacks {lacking}; expected the dim cell, or y "
            f"and x, and the coordinates lat and lon, as the readers of crest-data give"
        )
    return dims
