"""CREST: couple Earth-system components from many organisations on one gradient tape."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "component": ("Component", "SequenceComponent", "Sizes", "StepComponent", "Tensors"),
    "blackbox": ("BlackBoxComponent",),
    "clock": ("Clock", "from_xarray_time", "parse_time", "parse_timestep"),
    "connection": ("Connection",),
    "dictionary": ("Dictionary", "default_dictionary", "load_dictionary"),
    "driver": ("Prepared", "flushed_denormals", "prepare", "simulate"),
    "errors": (
        "ComponentError", "CouplingError", "CrestError", "DictionaryError", "FieldError", "ForcingError",
        "GradientError", "GridError", "PluginError", "StateError", "StoreError", "TimeError", "UnitError",
    ),
    "fields": ("FieldSpec", "HORIZONTAL"),
    "forcing": ("PeriodError",),
    "gradients": ("Evaluation", "FiniteDifference", "Gradient", "NoGradient", "Pullback", "SPSA", "spsa_gradient"),
    "graph": ("Graph",),
    "grid": ("Grid", "PointGrid", "RectilinearGrid", "Regridder"),
    "parameters": ("PhysicalParameters",),
    "plugins": ("PluginWarning", "Registry", "hookimpl", "registry"),
    "store": ("SafetensorsStore", "Store", "write_atomically"),
    "tensor_map": ("Standardize", "TensorMap"),
    "units": ("Conversion", "conversion"),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `crest list` imports no torch, xarray or pint."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
