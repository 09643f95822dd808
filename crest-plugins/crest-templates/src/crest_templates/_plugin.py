"""Registers the command `crest new`; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register the command that renders a package."""
    register("new", "crest_templates.command:new", summary="Make a package for a component of your own, ready to run")
