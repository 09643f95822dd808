"""JAX in CREST and CREST in JAX: functions and models as components, graphs as differentiable JAX functions."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "component": ("jax_component",),
    "export": ("as_jax", "jax_values"),
    "hbv_snow": ("HBVSnow", "hbv_snow_step"),
    "libraries": ("PureModel", "equinox_model", "linen_model", "nnx_model"),
    "module": ("JaxModule",),
    "step": ("JaxStepComponent",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that listing plugins stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
