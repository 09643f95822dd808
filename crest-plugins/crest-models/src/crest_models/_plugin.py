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
    """Register model-folder, model-folder-reader and saved-model."""
    register("model-folder", "crest_models.saving:save_model", summary="Writes a trained component as a folder")
    register("model-folder-reader", "crest_models.loading:load_model", summary="Loads a model folder")
    register("saved-model", "crest_models.saved_model:SavedModel", summary="A model folder that a package ships")
