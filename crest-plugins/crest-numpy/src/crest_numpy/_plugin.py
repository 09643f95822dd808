"""Registers the numpy backend; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the decorator."""
    register(
        "numpy",
        "crest_numpy.component:numpy_component",
        summary="Decorator: a plain NumPy or SciPy function as a component, gradients by finite differences or SPSA",
    )
