"""Weights that come with the package, three sets each: train-soil.yaml and train-streamflow.yaml make them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crest_core import Component, ComponentError, registry

MEMBERS = (1, 2, 3)
_FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Members:
    """A function that loads one of several model folders, trained alike from different seeds."""

    name: str

    def __call__(self, *, member: int = 1) -> Component:
        """Return the component with the weights of a member."""
        component: Component = self._saved(member)()
        return component

    def _saved(self, member: int) -> Any:
        if type(member) is not int or member not in MEMBERS:
            raise ComponentError(f"{self.name}: member {member!r}; expected one of {list(MEMBERS)}")
        return registry().load("parts", "saved-model")(_FOLDER / f"{self.name}-{member}")


soil_bucket_schwingbach = Members("soil-bucket-schwingbach")
streamflow_lstm_fulda = Members("streamflow-lstm-fulda")
