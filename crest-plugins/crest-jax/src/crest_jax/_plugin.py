"""Registers the JAX backends and an example component; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the wrappers of functions, of step functions, and the bare module that other adapters build upon."""
    register(
        "jax", "crest_jax.component:jax_component", summary="A pure JAX function, its arrays described by tensor maps"
    )
    register(
        "jax-step", "crest_jax.step:JaxStepComponent", summary="A process model in JAX, compiled over whole sequences"
    )
    register("jax-module", "crest_jax.module:JaxModule", summary="A pure JAX function as a torch module")


@hookimpl
def register_components(register: Register) -> None:
    """Register the snow routine."""
    register("snow-hbv", "crest_jax.hbv_snow:HBVSnow", summary="Degree-day snow routine of HBV, written in JAX")
