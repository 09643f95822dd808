"""Registers the streamflow components and CAMELS-US as their fields; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_components(register: Register) -> None:
    """Register three rainfall-runoff models that share ports, a routing of runoff, and a model with weights."""
    register(
        "streamflow-lstm",
        "terrahydro_streamflow.lstm:StreamflowLSTM",
        summary="LSTM of streamflow from weather and basin attributes; has no water balance",
    )
    register(
        "streamflow-ea-lstm",
        "terrahydro_streamflow.ea_lstm:StreamflowEALSTM",
        summary="Entity-aware LSTM of streamflow, its input gate set by basin attributes; has no water balance",
    )
    register(
        "streamflow-hbv",
        "terrahydro_streamflow.hbv:StreamflowHBV",
        summary="Differentiable HBV, its parameters learned from basin attributes; closes the water balance",
    )
    register(
        "streamflow-routing",
        "terrahydro_streamflow.routing:StreamflowRouting",
        summary="Linear reservoir that routes the runoff of a soil component; closes the water balance",
    )
    register(
        "streamflow-lstm-camels",
        "terrahydro_streamflow.shipped:streamflow_lstm_camels",
        summary="The LSTM with weights, trained on 450 basins of the contiguous USA, 1999-2008",
    )


@hookimpl
def register_data_sources(register: Register) -> None:
    """Register CAMELS-US by the names and in the units of the models, with lagged discharge."""
    register(
        "camels-us-basins",
        "terrahydro_streamflow.basins:basin_data",
        summary="CAMELS-US as fields of the streamflow models, with discharge of days before (needs crest-data)",
    )
