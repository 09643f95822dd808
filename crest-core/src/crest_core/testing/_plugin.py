"""Registers the command `crest check`; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register the conformance suite."""
    register("check", "crest_core.testing.command:app", summary="Check that a component keeps the rules of CREST")
