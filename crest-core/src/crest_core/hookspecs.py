"""The hooks of a CREST plugin: one function `register_<kind>(register)` for each kind of thing in KINDS.

Write only the hooks that you need, decorate them with `hookimpl`, and say `CREST_API = "1"` beside them.
"""

from typing import Protocol

import pluggy

CREST_API = "1"  # a plugin that declares another major version is left out; one that declares none is taken as this
KINDS = {
    "components": "Component classes, which graphs are made of",
    "backends": "wrappers that turn models of another library or language into components",
    "data_sources": "callables that return an xarray Dataset of forcing or observations",
    "catalogues": "catalogues of data sets: a path, as `crest data list` reads it",
    "archives": "archives of runs: history, restart and record in one commit",
    "regridders": "Regridder classes",
    "assimilators": "assimilation methods",
    "metrics": "functions metric(simulated, observed)",
    "dictionaries": "field dictionaries, as `load_dictionary` reads them",
    "parts": "what one package lends to others by name: samples, run files, model folders",
    "cli_commands": "commands of `crest`: a typer app, or a function with type hints",
    "gui_pages": "pages of the graphical interface",
}

hookimpl = pluggy.HookimplMarker("crest")


class Register(Protocol):
    """The function that a hook receives."""

    def __call__(self, name: str, target: str, *, summary: str = "") -> None:
        """Announce a target "package.module:Object", imported on first use, under a name [a-z][a-z0-9-]*."""
