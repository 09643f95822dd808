"""Registers the soil-moisture components; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register two soil models that share ports, so that one can replace the other."""
    register(
        "soil-bucket",
        "terrahydro_soil_moisture.bucket:SoilBucket",
        summary="Three-layer soil-water bucket in Fortran with groundwater; closes the water balance",
    )
    register(
        "soil-lstm",
        "terrahydro_soil_moisture.lstm:SoilLSTM",
        summary="LSTM of soil moisture in three layers; has no water balance",
    )
