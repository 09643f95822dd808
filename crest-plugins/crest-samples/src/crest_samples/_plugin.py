"""Registers the command of crest-samples; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register samples."""
    register(
        "samples", "crest_samples.command:samples", summary="How many training windows a data set holds, and where"
    )
