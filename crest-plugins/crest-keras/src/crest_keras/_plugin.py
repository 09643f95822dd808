"""Registers the Keras backends; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the wrapper of models and files, and the LSTM that is ready to use."""
    register(
        "keras",
        "crest_keras.component:keras_component",
        summary="A Keras 3 model or .keras file, its tensors described by tensor maps",
    )
    register(
        "keras-lstm",
        "crest_keras.lstm:keras_lstm_component",
        summary="A Keras LSTM with a linear head over columns, its state explicit",
    )
