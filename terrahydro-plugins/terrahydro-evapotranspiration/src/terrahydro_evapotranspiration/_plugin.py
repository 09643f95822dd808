"""Registers the evapotranspiration components and their data source; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register three models that share ports, so that one can replace the other, and one with weights."""
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
    register(
        "et-network",
        "terrahydro_evapotranspiration.pure:ETNetwork",
        summary="Network of latent and sensible heat without physics; reports what energy it leaves over",
    )
    register(
        "et-penman-monteith-ar1",
        "terrahydro_evapotranspiration.shipped:et_penman_monteith_ar1",
        summary="Penman-Monteith with weights of a prairie turned switchgrass in Oklahoma, 2009-2011; three members",
    )


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register flux towers by the names and in the units of the models."""
    register(
        "tower-weather",
        "terrahydro_evapotranspiration.towers:tower_weather",
        summary="Flux towers as fields of the evapotranspiration models, with observed fluxes (needs crest-data)",
    )
