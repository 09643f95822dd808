"""Registers the BMI backend; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the wrapper of BMI models."""
    register(
        "bmi",
        "crest_bmi.component:BmiComponent",
        summary="Any model with the Basic Model Interface; opaque where its state is hidden",
    )
