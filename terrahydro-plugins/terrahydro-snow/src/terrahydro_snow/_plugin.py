"""Registers the snow components; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register two snow models that share ports, so that one can replace the other, and one with weights."""
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
    register(
        "snow-lstm-camels",
        "terrahydro_snow.shipped:snow_lstm_camels",
        summary="The LSTM with weights, trained on 242 snowy basins of the contiguous USA, 1982-1999",
    )
