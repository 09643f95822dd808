"""CREST: couple Earth-system components from many organisations on one gradient tape."""

from importlib import import_module
from typing import Any

import crest_fields

_PUBLIC = {
    "component": ("Component", "SequenceComponent", "Sizes", "StepComponent", "Tensors"),
    "blackbox": ("BlackBoxComponent",),
    "connection": ("Connection", "Regridder"),
    "driver": ("Prepared", "flushed_denormals", "forcing_hash", "prepare", "simulate"),
    "errors": (
        "ComponentError", "CouplingError", "ForcingError", "GradientError", "PluginError", "RestartError",
        "StateError", "StoreError",
    ),
    "forcing": ("PeriodError",),
    "gradients": ("Evaluation", "FiniteDifference", "Gradient", "NoGradient", "Pullback", "SPSA"),
    "graph": ("Graph",),
    "parameters": ("PhysicalParameters",),
    "plan": ("Plan",),
    "plugins": ("PluginWarning", "Registry", "hookimpl", "registry"),
    "provenance": ("parameter_hash",),
    "store": ("Archive", "SafetensorsStore", "Store", "write_atomically"),
    "tensor_map": ("Standardize", "TensorMap"),
}  # fmt: skip
_HOME = dict.fromkeys(crest_fields.__all__, "crest_fields")
_HOME |= {name: f"crest_core.{module}" for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `crest list` imports no torch, xarray or pint."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
