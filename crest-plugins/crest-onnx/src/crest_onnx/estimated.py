"""EstimatedNetwork: an ONNX graph as a black box that onnxruntime runs, with estimated gradients or none."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import SPSA, FiniteDifference, Gradient, GradientError, NoGradient, Pullback
from crest_onnx.layout import Layout
from crest_onnx.mapping import FieldMapping
from crest_onnx.packed import PackedCall
from crest_onnx.session import Session
from crest_onnx.signature import Signature

SMALLEST_STEP = 1e-3  # of float32: below, rounding drowns the difference (error 2e-2 at 1e-4, 1 at 1e-6)


class EstimatedNetwork(nn.Module):
    """An ONNX graph on the tape by finite differences, SPSA or not at all; its weights are not parameters.

    The packed, scaled tensors are moved, by `step` times max(1, |value|); members, samples and columns travel as copies
    of one call. Where gradients are asked for and every tensor that moves has a time axis of its own, the network runs
    step by step: k values a column and step cost one call with 2k times the columns, instead of k times as many for
    the whole sequence. Relative error about 2e-4 at step 1e-2 in float32.
    """

    def __init__(self, session: Session, signature: Signature, mapping: FieldMapping, gradient: Gradient) -> None:
        super().__init__()
        self.session, self.signature, self.gradient = session, signature, gradient
        check_gradient(gradient, signature)
        self.inputs = [Layout.of(item) for item in (*mapping.input_maps, *mapping.state_maps)]
        self.outputs = [Layout.of(item) for item in (*mapping.output_maps, *mapping.state_maps)]
        static = {spec.name for spec in mapping.inputs if spec.static}
        self.static = {item.name for item in mapping.input_maps if set(item.fields) <= static}
        self.free_batch = self._batch_is_free()
        self.times = self._times()

    def forward(self, **arguments: Any) -> Any:
        """Return (outputs, new state), or the outputs where there is no state."""
        tensors = self.signature.tensors(arguments)
        wanted = torch.is_grad_enabled() and any(value.requires_grad for value in tensors.values())
        if isinstance(self.gradient, NoGradient) or not wanted:
            return self.signature.result(self._run(tuple(tensors.values())))
        found = self._whole(tensors) if self.times is None else self._steps(tensors, self.times)
        return self.signature.result(found)

    def extra_repr(self) -> str:
        """Return the hash of the graph with its weights, for print and the graph hash."""
        return f"graph {sha256(self.session.content).hexdigest()[:16]}"

    def _run(self, values: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the results as onnxruntime computes them, in the number type of the arguments."""
        names = self.signature.inputs + self.signature.state_inputs
        typed = {name: value.to(self.signature.dtype) for name, value in zip(names, values, strict=True)}
        results = self.session.run(typed, self.signature.results)
        return tuple(value.to(values[0].dtype) for value in results)

    def _whole(self, tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
        values = tuple(tensors.values())
        shapes = [value.shape for value in values]
        call = PackedCall(self._run, self.gradient, self.inputs, self.outputs, shapes, free_batch=self.free_batch)
        return call.values(values)

    def _steps(self, tensors: dict[str, Tensor], times: dict[str, int]) -> tuple[Tensor, ...]:
        """Return the results of a loop over time; the state goes from step to step."""
        count = next(tensors[name].shape[axis] for name, axis in times.items())
        collected: list[tuple[Tensor, ...]] = []
        now = dict(tensors)
        for t in range(count):
            now |= {name: tensors[name].narrow(axis, t, 1) for name, axis in times.items()}
            found = self._whole(now)
            collected.append(found[: len(self.signature.outputs)])
            now |= zip(self.signature.state_inputs, found[len(self.signature.outputs) :], strict=True)
        layouts = self.outputs[: len(self.signature.outputs)]
        joined = [
            torch.cat(parts, layout.time or 0)
            for parts, layout in zip(zip(*collected, strict=True), layouts, strict=True)
        ]
        return (*joined, *(now[name] for name in self.signature.state_inputs))

    def _times(self) -> dict[str, int] | None:
        """Return the time axis of each input that moves; None where one has none of its own, or the graph fixes it."""
        found: dict[str, int] = {}
        for name, layout in zip(self.signature.inputs, self.inputs, strict=False):
            if name in self.static:
                continue
            declared = self.signature.shapes[name]
            if layout.time is None or (declared is not None and declared[layout.time] is not None):
                return None
            found[name] = layout.time
        return found if all(one.time is not None for one in self.outputs[: len(self.signature.outputs)]) else None

    def _batch_is_free(self) -> bool:
        """Return whether the graph takes batches of any size, so that copies can travel in one call."""
        names = self.signature.inputs + self.signature.state_inputs
        for name, layout in zip(names, self.inputs, strict=True):
            declared = self.signature.shapes[name]
            if declared is None:
                continue
            batch = layout.batch(len(declared))
            if not batch or declared[batch[0]] is not None:
                return False
        return True


def check_gradient(gradient: Gradient, signature: Signature) -> None:
    """Raise GradientError for a strategy that cannot work on this graph."""
    if isinstance(gradient, Pullback):
        raise GradientError(f"{signature.who}: an ONNX file has no pullback of its own; use gradient='exact'")
    step = gradient.step if isinstance(gradient, FiniteDifference | SPSA) else SMALLEST_STEP
    if signature.dtype == torch.float32 and step < SMALLEST_STEP:
        raise GradientError(
            f"{signature.who}: a step of {step:g} is lost in the rounding of float32; expected {SMALLEST_STEP:g} or "
            f"more, best about 1e-2 (of the scaled values)"
        )
