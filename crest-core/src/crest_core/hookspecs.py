"""The hooks of a CREST plugin: one function `register_<kind>(register)` for each kind of thing.

`register(name, target, *, summary="")`: a name [a-z][a-z0-9-]*, a target "package.module:Object"
that is imported on first use, a summary of one line. Write only the hooks that you need, and
decorate them with `hookimpl`.
"""

from typing import Protocol

import pluggy

hookspec = pluggy.HookspecMarker("crest")
hookimpl = pluggy.HookimplMarker("crest")


class Register(Protocol):
    """The function that a hook receives."""

    def __call__(self, name: str, target: str, *, summary: str = "") -> None:
        """Announce `target` under `name`."""


@hookspec
def register_components(register: Register) -> None:
    """Register Component classes, which graphs are made of."""


@hookspec
def register_backends(register: Register) -> None:
    """Register wrappers that turn models of another library or language into components."""


@hookspec
def register_data_sources(register: Register) -> None:
    """Register callables that return an xarray Dataset of forcing or observations."""


@hookspec
def register_regridders(register: Register) -> None:
    """Register Regridder classes."""


@hookspec
def register_assimilators(register: Register) -> None:
    """Register assimilation methods."""


@hookspec
def register_metrics(register: Register) -> None:
    """Register functions metric(simulated, observed)."""


@hookspec
def register_dictionaries(register: Register) -> None:
    """Register field dictionaries."""


@hookspec
def register_cli_commands(register: Register) -> None:
    """Register commands of `crest`: a typer app, or a function with type hints."""


@hookspec
def register_gui_pages(register: Register) -> None:
    """Register pages of the graphical interface."""
