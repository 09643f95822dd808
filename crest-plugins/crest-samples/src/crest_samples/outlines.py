"""Outlines in degrees: checked, and turned round the globe so that the date line tears none."""

from __future__ import annotations

import numpy as np
import shapely  # type: ignore[import-untyped]

from crest_samples.errors import SampleError

TURNS = (-360.0, 0.0, 360.0)  # degrees_east, after which a place is the same
ROUNDING = 1e-9  # degrees


def check_outline(outline: shapely.Geometry, who: str) -> None:
    """Return if each edge of an outline has one meaning on the globe; SampleError where one may go either way round.

    An edge of more than 180 degrees of longitude is taken for a jump over the date line, one of 360 for a parallel.
    """
    for ring in _rings(outline):
        lon, lat = shapely.get_coordinates(ring).T
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()) or np.abs(lat).max(initial=0.0) > 90.0 + ROUNDING:
            raise SampleError(f"{who}: its outline has a point that is not on the globe; give lon, lat in degrees")
        wide = np.abs(np.diff(lon))
        torn = np.flatnonzero((wide > 180.0 + ROUNDING) & (np.abs(wide - 360.0) > ROUNDING))
        if len(torn):
            at = int(torn[0])
            raise SampleError(
                f"{who}: its outline has an edge from {lon[at]:g} to {lon[at + 1]:g} degrees east, which may go either "
                f"way round the globe; split it at 180 into a MultiPolygon, let its longitudes go on beyond 180, or "
                f"give such an edge more points"
            )


def contains(outline: shapely.Geometry, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return which points are inside an outline, edge included, whichever turn their longitudes are in."""
    return np.any([shapely.intersects_xy(outline, lon + turn, lat) for turn in TURNS], axis=0)


def _rings(outline: shapely.Geometry) -> list[shapely.Geometry]:
    """Return the lines of an outline: rings of its polygons, and what it holds beside polygons."""
    parts = np.array([outline])
    while (shapely.get_type_id(parts) >= shapely.GeometryType.MULTIPOINT).any():  # collections may hold collections
        parts = shapely.get_parts(parts)
    areas = shapely.get_dimensions(parts) == 2
    return [*shapely.get_rings(parts[areas]), *parts[~areas]]
