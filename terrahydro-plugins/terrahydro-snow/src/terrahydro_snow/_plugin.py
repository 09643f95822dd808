"""Registers the snow components; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register two snow models that share ports, so that one can replace the other."""
    register(
        "snow-degree-day",
        "terrahydro_snow.degree_day:DegreeDaySnow",
        summary="Degree-day snow with radiation, refreezing and elevation bands; parameters calibrated or learned",
    )
    register(
        "snow-lstm",
        "terrahydro_snow.lstm:SnowLSTM",
        summary="LSTM of snowfall, melt and cover around a store that closes the water balance",
    )
