"""Registers the soil-moisture components and Caravan as their fields; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register two soil models that share ports, so that one can replace the other, and one with weights."""
    register(
        "soil-bucket",
        "terrahydro_soil_moisture.bucket:SoilBucket",
        summary="Three-layer soil-water bucket in Fortran with groundwater; closes the water balance",
    )
    register(
        "soil-lstm",
        "terrahydro_soil_moisture.lstm:SoilLSTM",
        summary="LSTM of soil moisture in layers of one's choice; has no water balance",
    )
    register(
        "soil-lstm-era5-land",
        "terrahydro_soil_moisture.shipped:soil_lstm_era5_land",
        summary="The LSTM with weights: four layers of ERA5-Land from weather, 5 catchments in Europe, 1982-2015",
    )


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register Caravan by the names and in the units of the LSTM."""
    register(
        "caravan-soil",
        "terrahydro_soil_moisture.caravan:soil_data",
        summary="Caravan as fields of the soil LSTM: liquid water, weather, ERA5-Land soil moisture (needs crest-data)",
    )
