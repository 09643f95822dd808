"""Errors of the coupler and its plugins; those of fields, units and times are in crest_fields.errors."""

from crest_fields.errors import CrestError


class CouplingError(CrestError, ValueError):
    """Components that cannot be joined as asked: raised while a graph is built."""


class ForcingError(CrestError, ValueError):
    """Forcing data that a graph cannot take as they are."""


class StateError(CrestError, ValueError):
    """A state or restart that does not fit the component."""


class RestartError(StateError):
    """A restart of other parameters, forcing or places than it should go on with; `differs` says which."""

    def __init__(self, message: str, differs: str = "") -> None:
        super().__init__(message)
        self.differs = differs


class GradientError(CrestError, ValueError):
    """A gradient that was asked for but cannot be given."""


class ComponentError(CrestError, RuntimeError):
    """A component failed, or returned something that it did not declare."""


class PluginError(CrestError, LookupError):
    """A plugin or a registered name that cannot be found or loaded."""


class StoreError(CrestError, OSError):
    """A store that cannot be read or written."""
