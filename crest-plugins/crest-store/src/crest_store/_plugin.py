"""Registers the Icechunk archive and the commands of runs; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_archives(register: Register) -> None:
    """Register the archive."""
    register(
        "icechunk",
        "crest_store.archive:IcechunkArchive",
        summary="History, restart and record of each cycle in one commit: a folder or an object store",
    )


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register `crest store`."""
    register("store", "crest_store.commands:app", summary="List, check, expire and export stored runs")
