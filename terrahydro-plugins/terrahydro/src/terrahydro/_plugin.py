"""Registers weights of the twin and the places that it runs at out of the box; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register parts with weights found inside the twin, and a network to compare its coupling with."""
    register(
        "soil-bucket-schwingbach",
        "terrahydro.shipped:soil_bucket_schwingbach",
        summary="The bucket with parameters of the Schwingbach, 2014-2015, found inside the twin; three members",
    )
    register(
        "streamflow-lstm-fulda",
        "terrahydro.shipped:streamflow_lstm_fulda",
        summary="The streamflow LSTM with weights of the Fulda, 1980-1984, fed by soil and snow; three members",
    )
    register(
        "cross-stitch",
        "terrahydro.cross_stitch:CrossStitch",
        summary="LSTMs of soil moisture, evapotranspiration and carbon that see each other's hidden state",
    )


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register the weather of places that come with Python packages, as the twin takes it."""
    register(
        "twin-weather",
        "terrahydro.places:twin_weather",
        summary="Weather, attributes and observations at the Schwingbach or the Fulda, as the twin takes them",
    )
