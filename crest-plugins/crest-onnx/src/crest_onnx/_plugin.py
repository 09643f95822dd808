"""Registers the ONNX backend; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_backends(register: Register) -> None:
    """Register the wrapper of ONNX files."""
    register(
        "onnx",
        "crest_onnx.component:onnx_component",
        summary="Any ONNX file, its tensors described by tensor maps; exact gradients, trainable",
    )
