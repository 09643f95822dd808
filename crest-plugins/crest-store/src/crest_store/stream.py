"""Streams of history: which fields are kept, how often, as which statistic and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crest_store.errors import StreamError
from crest_store.intervals import nominal

STATISTICS = ("mean", "sum", "min", "max", "instant")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Box:
    """Places from `south` to `north` and, going east, from `west` to `east` [degrees], edges included.

    West > east crosses the date line; west == east is one meridian; 180 and -180 are the same.
    """

    south: float
    north: float
    west: float
    east: float

    def __post_init__(self) -> None:
        if not (-90 <= self.south <= self.north <= 90 and all(-180 <= x <= 180 for x in (self.west, self.east))):
            raise StreamError(
                f"box {self}: expected -90 <= south <= north <= 90, west and east between -180 and 180 degrees"
            )


@dataclass(frozen=True)
class Stream:
    """Fields (None: all), kept every interval as one statistic, in a region (None: everywhere).

    `every` is "6h", "1D", "5D" (cut at multiples since 2000-01-01), "1MS" (calendar months) or "1YS"; "" keeps each
    step as it is, without a statistic. `chunk` is the number of times in a chunk; 0: those of the first window.

    >>> Stream(fields=("runoff",), every="1MS", statistic="mean").statistic
    'mean'
    """

    fields: tuple[str, ...] | None = None
    every: str = ""
    statistic: str = ""
    region: Box | tuple[str | int, ...] | None = None
    chunk: int = 0

    def __post_init__(self) -> None:
        if self.fields is not None:
            object.__setattr__(self, "fields", tuple(self.fields))
            if not self.fields:
                raise StreamError("a stream without fields writes nothing; name some, or None for all")
        if isinstance(self.region, list):
            object.__setattr__(self, "region", tuple(self.region))
        if self.every and self.statistic not in STATISTICS:
            raise StreamError(
                f"statistic {self.statistic!r} of a stream every {self.every}: expected one of {', '.join(STATISTICS)}"
            )
        if self.every:
            nominal(self.every)
        if self.statistic and not self.every:
            raise StreamError(f"statistic {self.statistic!r} needs an interval; give every, such as every='1D'")
        if self.chunk < 0:
            raise StreamError(f"chunk {self.chunk}: expected a number of times, or 0")

    def described(self) -> dict[str, Any]:
        """Return the stream as JSON values."""
        region: dict[str, Any] | None = None if self.region is None else {"cells": self.region}
        if isinstance(self.region, Box):
            region = {"box": asdict(self.region)}
        return {
            "fields": None if self.fields is None else list(self.fields),
            "every": self.every,
            "statistic": self.statistic,
            "region": region,
            "chunk": self.chunk,
        }

    @staticmethod
    def from_description(text: Mapping[str, Any]) -> Stream:
        """Return the stream that `described` wrote down."""
        region = text["region"] or {}
        place = Box(**region["box"]) if "box" in region else tuple(region["cells"]) if region else None
        fields = None if text["fields"] is None else tuple(text["fields"])
        return Stream(fields, text["every"] or "", text["statistic"] or "", place, text["chunk"])


def check_streams(streams: Mapping[str, Stream | Mapping[str, Any]]) -> dict[str, Stream]:
    """Return streams by name, also from what `described` gives, with names that folders and attributes can carry."""
    if not streams:
        raise StreamError("history={} keeps nothing; None keeps all outputs of each step")
    for name in streams:
        if not _NAME.fullmatch(name):
            raise StreamError(f"stream {name!r}: expected a name [a-z][a-z0-9_]*, such as 'monthly'")
    return {name: one if isinstance(one, Stream) else Stream.from_description(one) for name, one in streams.items()}
