"""Registers the command of crest-samples, and the samples that training takes; imports nothing heavy."""

from crest_core.hookspecs import Register, hookimpl

CREST_API = "1"


@hookimpl
def register_cli_commands(register: Register) -> None:
    """Register samples."""
    register(
        "samples", "crest_samples.command:samples", summary="How many training windows a data set holds, and where"
    )


@hookimpl
def register_parts(register: Register) -> None:
    """Register training-samples."""
    register(
        "training-samples",
        "crest_samples.training:TrainingSamples",
        summary="Samples of two datasets, with loaders and statistics of periods",
    )
