"""Added models as attributes, for the registry: `model_<name>`, a function without arguments that loads the model.

A model that vanished or was changed since it was added says so when it is called; the others are not affected.
"""

from collections.abc import Callable

from crest_core import Component, CrestError
from crest_models.cards import card_of
from crest_models.errors import ModelError
from crest_models.loading import load_model
from crest_models.reading import read_folder
from crest_models.shelf import Added, added_models, models_directory


def __getattr__(name: str) -> Callable[[], Component]:
    """Return the function that loads an added model; its docstring is the model's card."""
    found = next((added for added in added_models() if added.attribute == name), None)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: no such model was added")
    return _loader(found)


def _loader(added: Added) -> Callable[[], Component]:
    def load() -> Component:
        if added.error:
            raise ModelError(added.error)
        try:
            return load_model(models_directory() / added.folder, sha256=added.sha256)
        except CrestError as error:
            raise ModelError(
                f"the added model {added.name!r} cannot be loaded: {error}\n`crest add FOLDER --force` brings it back, "
                f"`crest remove {added.name}` takes it away"
            ) from error

    load.__name__ = load.__qualname__ = added.attribute
    load.__doc__ = _doc(added)
    return load


def _doc(added: Added) -> str:
    if added.error:
        return added.error
    try:
        return card_of(read_folder(models_directory() / added.folder))
    except CrestError as error:
        return f"The card cannot be read: {error}"
