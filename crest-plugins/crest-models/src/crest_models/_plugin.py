"""Registers the commands add and remove, added models, and what writes a folder; imports nothing heavy."""

from importlib import import_module

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register every added model by its entry, a small JSON file; the models themselves are not opened."""
    for added in import_module("crest_models.shelf").added_models():  # light too: json and platformdirs
        register(added.name, f"crest_models.added:{added.attribute}", summary=added.summary or added.error)


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register add and remove."""
    register("add", "crest_models.commands:add", summary="Add a model folder: a component without code")
    register("remove", "crest_models.commands:remove", summary="Remove a model that was added")


@hookimpl
def register_parts(register: Register) -> None:
    """Register model-folder."""
    register("model-folder", "crest_models.saving:save_model", summary="Writes a trained network as a folder")
