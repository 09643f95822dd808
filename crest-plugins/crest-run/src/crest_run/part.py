"""RunPart: graph and forcing of another kind of file, written as in run files and checked with the same words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from crest_core import Graph
from crest_run.build import build_graph
from crest_run.execution import open_forcing
from crest_run.runfile import RunFile, check_run
from crest_run.yaml_lines import Place

KEYS = ("graph", "forcing", "calendar", "dtype")
_NO_GRAPH = {"components": {"none": {"use": "none"}}}  # stands where a file has a forcing and no graph


class RunPart:
    """Those keys of a file that run files have, too: graph, forcing, calendar, dtype.

    `lines` are those of the keys in the file. RunFileError names all faults by file, line and key.
    """

    def __init__(self, file: str, data: Mapping[str, Any], lines: Mapping[Place, int], *, seed: int | None) -> None:
        own = {"graph": _NO_GRAPH, **{key: data[key] for key in KEYS if key in data}}
        self._run: RunFile = check_run(file, {**own, "seed": seed}, dict(lines), Path(file).parent)

    def graph(self) -> Graph:
        """Return the graph; what is drawn at random comes from the seed."""
        return build_graph(self._run)

    def forcing(self) -> xr.Dataset:
        """Return the dataset of the forcing."""
        return open_forcing(self._run)

    def trained(self) -> set[str]:
        """Return the components that come with weights, and so with the scaling of those."""
        return {name for name, section in self._run.graph.components.items() if section.weights}
