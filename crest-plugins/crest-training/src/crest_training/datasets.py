"""Datasets: forcing and observations of a file that has the keys of run files for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from crest_core import registry


class Datasets:
    """The datasets of the keys `forcing` and `observations`; without the second both are one."""

    def __init__(self, file: str, data: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> None:
        part = registry().load("parts", "run-part")
        self.forcing: xr.Dataset = part(file, data, lines, seed=None).forcing()
        self.observations = self.forcing
        if data.get("observations") is not None:
            own = {("forcing", *place[1:]): n for place, n in lines.items() if place[:1] == ("observations",)}
            there = {**data, "forcing": data["observations"]}
            self.observations = part(file, there, {**lines, **own}, seed=None).forcing()
