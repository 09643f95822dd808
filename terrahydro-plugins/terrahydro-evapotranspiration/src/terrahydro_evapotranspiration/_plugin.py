"""Registers the evapotranspiration components; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register the two forms of the evapotranspiration model."""
    register(
        "et-penman-monteith",
        "terrahydro_evapotranspiration.hybrid:PenmanMonteithET",
        summary="Penman-Monteith with a neural surface conductance; closes the energy balance",
    )
    register(
        "et-priestley-taylor",
        "terrahydro_evapotranspiration.hybrid:PriestleyTaylorET",
        summary="Priestley-Taylor with a neural stress factor; closes the energy balance",
    )
