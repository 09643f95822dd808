"""Agreement: the interpreter and onnxruntime give the same numbers, or the file is not loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from crest_core import ComponentError
from crest_onnx.exact import ExactNetwork
from crest_onnx.mapping import FieldMapping
from crest_onnx.trials import fixed_sizes, random_tensors, trial_sizes

TOLERANCE = 1e-5  # of the largest value of an output, at least of 1; float32 rounds at 6e-8
_SEED = 20261122  # of the numbers that are compared
_STEPS, _COLUMNS = 4, 3
_LENGTHS = (8, 16, 32, 64)  # of other axes: the first that the network can take


def check_agreement(network: ExactNetwork, mapping: FieldMapping) -> None:
    """Raise ComponentError unless both give the same outputs for random fields of small sizes."""
    refused: ComponentError | None = None
    for tensors in _trials(network, mapping):
        try:
            expected = network.session.run(tensors, network.signature.results)
        except ComponentError as error:
            refused = error
            continue
        with torch.no_grad():
            got = network.interpreter(tensors)
        return _compare(network, got, expected)
    raise ComponentError(f"{network.signature.who} takes no fields of the sizes that were tried: {refused}")


def _compare(network: ExactNetwork, got: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for name, ours, theirs in zip(network.signature.results, got, expected, strict=True):
        who = f"{network.signature.who}, output {name}"
        if ours.shape != theirs.shape:
            raise ComponentError(
                f"{who}: the interpreter gives the shape {list(ours.shape)}, onnxruntime {list(theirs.shape)}; use "
                f"gradient=FiniteDifference(step=1e-2) and report it"
            )
        if not ours.numel() or torch.equal(ours, theirs):
            continue
        if not bool(torch.isfinite(theirs).all()):
            raise ComponentError(f"{who}: onnxruntime gives nan or infinity for random fields; its weights are broken")
        difference = float((ours.double() - theirs.double()).abs().max())
        limit = TOLERANCE * max(1.0, float(theirs.abs().max()))
        if not difference <= limit:
            raise ComponentError(
                f"{who}: interpreter and onnxruntime differ by {difference:.2g}, at most {limit:.2g}; use "
                f"gradient=FiniteDifference(step=1e-2) and report it"
            )


def _trials(network: ExactNetwork, mapping: FieldMapping) -> Iterator[dict[str, Tensor]]:
    """Yield packed random fields, on longer and longer axes."""
    generator = torch.Generator().manual_seed(_SEED)
    fixed = fixed_sizes(mapping, network.signature.shapes)
    for length in _LENGTHS:
        sizes = trial_sizes(mapping, _STEPS, _COLUMNS, length) | fixed
        yield random_tensors(mapping, sizes, generator, network.signature.dtype)
