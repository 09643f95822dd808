"""SavedModel: a model folder as a component that packages can register; it is opened when it is called."""

from __future__ import annotations

from pathlib import Path

from crest_core import Component, CrestError
from crest_models.cards import card_of
from crest_models.errors import ModelError
from crest_models.loading import load_model
from crest_models.reading import ModelFolder, read_folder


class SavedModel:
    """A function without arguments that loads a model folder; its docstring is the model's card.

    In a package that ships weights, `lstm = registry().load("parts", "saved-model")(folder)` is one, and its
    `_plugin.py` registers "package.module:lstm" as a component.
    """

    def __init__(self, path: str | Path, *, sha256: str | None = None, who: str = "", advice: str = "") -> None:
        self.path = Path(path)
        self.sha256 = sha256
        self.who = who or f"the model {self.path.name!r} that a package ships"
        self.advice = advice or "install its package anew"
        self.__name__ = self.path.name
        self.__doc__ = self._card()

    def __call__(self) -> Component:
        try:
            return load_model(self.path, sha256=self.sha256)
        except CrestError as error:
            raise ModelError(f"{self.who} cannot be loaded: {error}\n{self.advice}") from error

    def folder(self) -> ModelFolder:
        """Return its `model.yaml`, checked."""
        return read_folder(self.path)

    def trained_on(self) -> tuple[str, str] | None:
        """Return start and end of the period that its card says it was trained on."""
        training = self.folder().keys.training
        return None if training is None else (training.period[0], training.period[1])

    def _card(self) -> str:
        try:
            return card_of(self.folder())
        except CrestError as error:
            return f"The card cannot be read: {error}"
