"""Registers the carbon components and FLUXNET2015 as their fields; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register two models that share ports, so that one can replace the other, and one with weights."""
    register(
        "nee-light-response",
        "terrahydro_carbon.light_response:LightResponseNEE",
        summary="Photosynthesis by light, respiration by temperature, their rates from an LSTM; NEE = RECO - GPP",
    )
    register(
        "nee-lstm",
        "terrahydro_carbon.lstm:LSTMNEE",
        summary="LSTM of photosynthesis and respiration without a response to light or temperature of its own",
    )
    register(
        "nee-light-response-fluxnet",
        "terrahydro_carbon.shipped:nee_light_response_fluxnet",
        summary="The light response with weights, trained on 160 towers of FLUXNET2015, 1991-2014",
    )


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register FLUXNET2015 by the names and in the units of the models."""
    register(
        "fluxnet-carbon",
        "terrahydro_carbon.sites:site_data",
        summary="Weather, climate and carbon fluxes of flux towers as fields of the carbon models (needs crest-data)",
    )
