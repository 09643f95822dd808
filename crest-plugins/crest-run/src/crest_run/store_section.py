"""The part of a run file that says how a run is kept in a store."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from crest_run.section import Section, StorePath


class BoxSection(Section):
    """A region between two latitudes and two longitudes [degrees]; west > east crosses the date line."""

    south: float
    """Southern edge [degrees_north]."""
    north: float
    """Northern edge [degrees_north]."""
    west: float
    """Western edge [degrees_east]."""
    east: float
    """Eastern edge [degrees_east]."""


class StreamSection(Section):
    """One stream of history in a store."""

    fields: list[str] | None = None
    """Names of the outputs in it; all where the key is left out."""
    every: str = ""
    """Interval, as 6h, 1D, 5D, 1MS (calendar months) or 1YS; each step where it is left out."""
    statistic: Literal["", "mean", "sum", "min", "max", "instant"] = ""
    """Statistic over the interval."""
    box: BoxSection | None = None
    """Only the places in this region."""
    cells: list[str | int] | None = None
    """Only these places, by their ids or numbers from 0."""

    @model_validator(mode="after")
    def _whole(self) -> StreamSection:
        for key in ("fields", "cells"):
            if getattr(self, key) == []:
                raise PydanticCustomError("choice", f"the list {key} is empty; leave the key out to keep all")
        if self.box and self.cells:
            raise PydanticCustomError("choice", "expected one of the keys box and cells")
        if bool(self.every) != bool(self.statistic):
            text = "the keys every and statistic belong together, as every: 1MS, statistic: mean"
            raise PydanticCustomError("choice", text)
        return self


class StoreSection(Section):
    """A store of history, restarts and record, committed together at the end of each window."""

    path: StorePath
    """Folder of the store, or its URL in an object store, as s3://bucket/run."""
    use: str = "icechunk"
    """Registered name of the archive, as in `crest list --kind archives`; one that numbers its cycles."""
    history: dict[str, StreamSection] = {}
    """Streams by name; all outputs of each step where there is none."""
    keep: Annotated[int, Field(ge=1)] = 3
    """Number of the newest cycles whose restarts are kept."""
    keep_every: Annotated[int, Field(ge=0)] = 0
    """The restart of every so many cycles is kept for ever; 0: of none."""
