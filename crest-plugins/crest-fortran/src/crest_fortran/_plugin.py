"""What this distribution registers; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the adapter for shared libraries."""
    register(
        "fortran",
        "crest_fortran.component:FortranComponent",
        summary="Shared library in Fortran or C, in a child process",
    )
