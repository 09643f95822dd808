"""Registers the torch backends, and the scaling that networks of other plugins share; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the wrapper of modules, and the LSTM that is ready to use."""
    register(
        "torch",
        "crest_torch.component:TorchComponent",
        summary="Any torch nn.Module, its tensors described by tensor maps",
    )
    register(
        "torch-lstm",
        "crest_torch.lstm:lstm_component",
        summary="An LSTM with a linear head over columns, its state explicit",
    )


@hookimpl
def register_parts(register: Register) -> None:
    """Register field-scaling."""
    register("field-scaling", "crest_torch.scaling:FieldScaling", summary="Scaling of fields, kept with the weights")
