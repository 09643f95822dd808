"""Registers the commands of crest-run, and what other files share with run files; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register info, plan, run, rerun, schema and verify."""
    register("info", "crest_run.info:info", summary="Fields, parameters and arguments of a registered name")
    register("plan", "crest_run.commands:plan", summary="How a run file joins its components, and how gradients pass")
    register("run", "crest_run.commands:run", summary="Run a run file: results, restart and record")
    register("rerun", "crest_run.repetition:command", summary="Repeat a run from its record and compare bit for bit")
    register("schema", "crest_run.commands:schema", summary="JSON Schema of run files, for editors")
    register("verify", "crest_run.verify:app", summary="Verify that an interrupted run equals a straight one")


@hookimpl
def register_parts(register: Register) -> None:
    """Register run-part."""
    register("run-part", "crest_run.part:RunPart", summary="Graph and forcing as run files have them")
