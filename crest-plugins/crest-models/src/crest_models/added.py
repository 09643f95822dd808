"""Added models as attributes, for the registry: `model_<name>`, a function without arguments that loads the model.

A model that vanished or was changed since it was added says so when it is called; the others are not affected.
"""

from collections.abc import Callable

from crest_core import Component
from crest_models.errors import ModelError
from crest_models.saved_model import SavedModel
from crest_models.shelf import Added, added_models, models_directory


def __getattr__(name: str) -> Callable[[], Component]:
    """Return the function that loads an added model; its docstring is the model's card."""
    found = next((added for added in added_models() if added.attribute == name), None)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: no such model was added")
    return _unreadable(found) if found.error else _loader(found)


def _loader(added: Added) -> SavedModel:
    return SavedModel(
        models_directory() / added.folder,
        sha256=added.sha256,
        who=f"the added model {added.name!r}",
        advice=f"`crest add FOLDER --force` brings it back, `crest remove {added.name}` takes it away",
    )


def _unreadable(added: Added) -> Callable[[], Component]:
    def load() -> Component:
        raise ModelError(added.error)

    load.__doc__ = added.error
    return load
