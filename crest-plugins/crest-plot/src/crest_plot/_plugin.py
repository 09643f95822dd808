"""Registers the command of crest-plot; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register plot."""
    register("plot", "crest_plot.command:plot", summary="Map, series, hydrograph or availability as PNG and HTML")
